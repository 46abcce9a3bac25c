/**
 * Why nothing was bid: one closed list for metrics, logs, the wire and the docs. Codes below 500 are the IAB's
 * (OpenRTB 2.6, List: No-Bid Reason Codes), from 500 on ours. A code is never used again for something else.
 */
export const NO_BID = {
  technical_error: 1,
  invalid_request: 2,
  unsupported_device: 6,
  unmatched_user: 8,
  ads_txt_unavailable: 11,
  ads_txt_violated: 12,
  incomplete_chain: 16,
  blocked_node: 17,
  shed: 500,
  no_line_item: 501,
  below_floor: 502,
  paced: 503,
  budget: 504,
  frequency_cap: 505,
  privacy: 506,
  untrusted_location: 507,
  no_creative: 508,
  blocked: 509,
  deal: 510,
  currency: 511,
  deadline: 512,
  store_closed: 513,
  segment: 514,
  daypart: 515,
  outside_fence: 516,
  held_out: 517,
  no_snapshot: 518,
  flight: 519,
  unsupported_format: 520,
  storage: 521,
  inventory: 522,
  outside_area: 523,
} as const;

export type NoBidReason = keyof typeof NO_BID;

/** What each says, for docs/no-bid-reasons.md; and in whose hands it is: the sender's, the advertiser's, the operator's, nobody's. */
export const NO_BID_MEANINGS: Readonly<Record<NoBidReason, { readonly means: string; readonly who: Party }>> = {
  technical_error: { means: 'A fault of ours; it is counted and logged.', who: 'operator' },
  invalid_request: { means: 'The request can be read, but has no imp that can be bid on as it stands.', who: 'exchange' },
  unsupported_device: { means: 'No line item wants this type of device or system.', who: 'advertiser' },
  unmatched_user: { means: 'No line item may bid on somebody it does not know, and this person is not known.', who: 'nobody' },
  ads_txt_unavailable: {
    means: 'The seller’s ads.txt is known, but the request does not say through whom it sells, and the rule asks for both.',
    who: 'exchange',
  },
  ads_txt_violated: { means: 'The seller’s ads.txt does not list who sells to us.', who: 'exchange' },
  incomplete_chain: { means: 'The rule asks for a complete supply chain, and the request has none.', who: 'exchange' },
  blocked_node: {
    means: 'A node of the supply chain is not allowed, not known to its system, or one too many.',
    who: 'exchange',
  },
  shed: { means: 'Overload, or outside the sampled share of the exchange: the request was not considered.', who: 'operator' },
  no_line_item: { means: 'Nothing is live for this exchange.', who: 'advertiser' },
  below_floor: { means: 'What we would pay is below the floor of the imp or of the deal.', who: 'advertiser' },
  paced: { means: 'The line item spends evenly and has spent its part of this hour.', who: 'advertiser' },
  budget: { means: 'The budget, or what this process holds of it, is spent or reserved.', who: 'advertiser' },
  frequency_cap: { means: 'The person has seen the ad as often as they may.', who: 'nobody' },
  privacy: { means: 'The law or the person does not allow this bid.', who: 'nobody' },
  untrusted_location: {
    means: 'The line item needs a place, and the location of the request cannot be trusted.',
    who: 'exchange',
  },
  no_creative: {
    means: 'No creative has the size, the format or the fields that the imp or the exchange asks for.',
    who: 'advertiser',
  },
  blocked: { means: 'The seller blocks the category, the advertiser, the app, the attribute or the language.', who: 'nobody' },
  deal: { means: 'Only deals may bid and we are in none, or our seat is not wanted.', who: 'advertiser' },
  currency: { means: 'We have no rate that is fresh for any currency that the request takes.', who: 'operator' },
  deadline: { means: 'The time for the answer was over before there was one.', who: 'exchange' },
  store_closed: { means: 'All stores that could be shown are closed.', who: 'nobody' },
  segment: {
    means: 'The person is not in the segments that the line item asks for, or is in one that it excludes.',
    who: 'nobody',
  },
  daypart: { means: 'It is not the time of day or week for the line item.', who: 'nobody' },
  outside_fence: { means: 'The device is in no fence of the line item.', who: 'nobody' },
  held_out: { means: 'The person is held out, so that the effect of the ads can be measured.', who: 'nobody' },
  no_snapshot: { means: 'This process has just started, and has not been told yet what is live.', who: 'operator' },
  flight: { means: 'The flight of the line item has not begun, or is over.', who: 'advertiser' },
  unsupported_format: { means: 'The imp asks for a kind of ad that we do not make.', who: 'exchange' },
  inventory: {
    means: 'No line item wants this site, app, content or place on the page.',
    who: 'nobody',
  },
  outside_area: { means: 'The request is from no country, region, city or zip that the line item wants.', who: 'nobody' },
  storage: { means: 'Redis was away or slow, and without it this bid could not be answered for.', who: 'operator' },
};

/** Who can do something about it. */
export type Party = 'exchange' | 'advertiser' | 'operator' | 'nobody';
