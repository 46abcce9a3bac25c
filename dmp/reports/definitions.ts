/** What each column of a report of conversions means; sent with every answer, so that a number never travels without it. */
export const DEFINITIONS = {
  attribution:
    'Attributed, not incremental. A visit or purchase is credited to the person’s last click before it within clickDays days, or else to the last impression before it within viewDays days; a touch after the start of the visit or after the purchase never counts. Touches of this campaign only.',
  lineItem: 'Of the ad; for visits and purchases that of the credited click or impression.',
  store: 'Bids to clicks, and spend: the store that the ad showed. Visits and purchases: the store where they happened.',
  day: 'UTC day of the fact: of the bid, the win, the impression, the click, the billing, the start of the visit, the purchase.',
  bids: 'Bids, by the day they were made.',
  wins: 'Auctions that the exchanges said were won.',
  exposures: 'Impressions.',
  exposedPeople:
    'Different profiles, or anchors where there is no profile, with an impression; impressions to nobody known are not in it.',
  clicks: 'Clicks, one a bid.',
  visits: 'Credited visits at stores of the advertiser: one a person, store and local day.',
  visitors: 'Different people with a credited visit.',
  purchases: 'Credited receipts at stores of the advertiser; refunds are not counted.',
  revenueMicros: 'Sum of the credited receipts in the advertiser’s currency; refunds subtract.',
  spendMicros: 'What the exchanges billed, at the time they did.',
  viewers:
    'Impressions, of screens out of home the people who saw the play: as many as the exchange told, or else as its request promised.',
  dataMicros:
    'What the sources cost that the line item’s segments stood on when each bid was made, by their contracts: per thousand impressions, a part of a flat price, or a share of media; see /v1/reports/data-costs.',
  costMicros: 'Both: spendMicros and dataMicros. The costs of the lift are made of it.',
  lift: 'Among people at their first decision of the campaign, a bid (treated) or a ghost (control): visitors are people with any visit, and revenue is the sum of receipts, at the advertiser’s stores after that moment and in the window. Nothing is winsorised.',
  excluded:
    'Requests marked as test; visits and receipts of people who withdrew measurement, and of sources that may not be measured by. Rows of people, days and stores may not add up to the totals where people are counted.',
} as const;
