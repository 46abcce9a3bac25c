/**
 * What data about people may be used for: purposes 1, 2, 3, 4, 7, 9 and special feature 1 of the TCF, in this order. One list for
 * the terms of sources and the consents of people.
 */
export const PURPOSES = ['storage', 'ads', 'profiles', 'personalised_ads', 'measurement', 'statistics', 'location'] as const;
export type Purpose = (typeof PURPOSES)[number];

/** Whither segments and identifiers may be sent. One list for the terms of sources and the destinations. */
export const DESTINATION_KINDS = [
  'xandr',
  'yandex_audience',
  'google_customer_match',
  'meta_custom_audience',
  'csv',
  'parquet',
  'webhook',
  'lookup',
] as const;
export type DestinationKind = (typeof DESTINATION_KINDS)[number];
