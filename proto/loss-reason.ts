/** OpenRTB 2.6, List: Loss Reason Codes, and what Walkin does about each. */
export const LOSS_REASONS = {
  0: 'won',
  1: 'internal_error',
  2: 'opportunity_expired',
  3: 'invalid_response',
  4: 'invalid_deal',
  5: 'invalid_auction',
  6: 'invalid_advertiser_domain',
  7: 'missing_markup',
  8: 'missing_creative_id',
  9: 'missing_price',
  10: 'missing_creative_approval_data',
  100: 'below_auction_floor',
  101: 'below_deal_floor',
  102: 'outbid',
  103: 'lost_to_deal',
  104: 'seat_blocked',
  200: 'creative_filtered',
  201: 'creative_pending',
  202: 'creative_disapproved',
  203: 'size_not_allowed',
  204: 'incorrect_format',
  205: 'advertiser_excluded',
  206: 'app_store_id_excluded',
  207: 'not_secure',
  208: 'language_excluded',
  209: 'category_excluded',
  210: 'attribute_excluded',
  211: 'ad_type_excluded',
  212: 'animation_too_long',
  213: 'not_allowed_in_deal',
  214: 'invalid_skadnetwork',
  215: 'app_bundle_excluded',
} as const satisfies Readonly<Record<number, string>>;

/** The word for a code, a closed list: the exchange's own codes are one word, what cannot be read another. */
export function lossReasonName(code: number | null): string {
  if (code === null) return 'unknown';
  return (LOSS_REASONS as Readonly<Record<number, string>>)[code] ?? (code >= 500 ? 'exchange_specific' : 'unknown');
}
