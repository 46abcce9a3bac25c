/**
 * Why nothing was bid: one closed list for metrics, logs, the wire and the docs. Codes below 500 are the IAB's
 * (OpenRTB 2.6, List: No-Bid Reason Codes), from 500 on ours. A code is never used again for something else.
 */
export const NO_BID = {
  technical_error: 1,
  invalid_request: 2,
  unsupported_device: 6,
  unmatched_user: 8,
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
} as const;

export type NoBidReason = keyof typeof NO_BID;
