/**
 * What data about people may be used for, in the order of the purposes of the TCF that they stand for. One list for the terms
 * of sources and the consents of people.
 */
export const PURPOSES = ['storage', 'ads', 'profiles', 'personalised_ads', 'measurement', 'statistics', 'location'] as const;
export type Purpose = (typeof PURPOSES)[number];

/** TCF: purposes 1, 2, 3, 4, 7, 9 and special feature 1. */
export const TCF_PURPOSE: Readonly<Record<Purpose, number | 'sf1'>> = {
  storage: 1,
  ads: 2,
  profiles: 3,
  personalised_ads: 4,
  measurement: 7,
  statistics: 9,
  location: 'sf1',
};
