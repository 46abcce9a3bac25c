import { Type } from 'typebox';

/** The bidder's environment, read once in `main.ts`. */
export const BidderSettings = Type.Object({
  /** redis://… or the path of a unix socket. */
  REDIS_URL: Type.String({ default: 'redis://127.0.0.1:6379' }),
  WALKIN_LOG_LEVEL: Type.String({ default: 'info' }),
  WALKIN_HOST: Type.String({ default: '127.0.0.1' }),
  WALKIN_PEPPER: Type.String({ minLength: 16 }),
  /** Peppers of before that are still honoured, separated by spaces, the newest first. */
  WALKIN_OLD_PEPPERS: Type.String({ default: '' }),
  WALKIN_BIDDER_PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 8080 }),
  WALKIN_BIDDER_METRICS_PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 9080 }),
  /** 0 = one a core. */
  WALKIN_BIDDER_WORKERS: Type.Integer({ minimum: 0, maximum: 256, default: 0 }),
  /** Base of the addresses that bids carry; default http://<host>:<port>. */
  WALKIN_PUBLIC_URL: Type.Optional(Type.String({ pattern: '^https?://[^\\s]+$' })),
  WALKIN_NOTICE_SECRET: Type.String({ minLength: 16 }),
  /** Seconds after which money reserved for a bid whose fate was never told is free again; sent as `bid.exp`. */
  WALKIN_RESERVATION_SECONDS: Type.Integer({ minimum: 1, maximum: 86_400, default: 60 }),
  /** Our id in the IAB's Global Vendor List; 0: none, so that nothing is bid where GDPR applies. */
  WALKIN_TCF_VENDOR_ID: Type.Integer({ minimum: 0, maximum: 65_535, default: 0 }),
  /** Whether contextual ads are bid where GDPR applies and there is no consent for us. */
  WALKIN_GDPR_CONTEXTUAL: Type.Boolean({ default: false }),
});
