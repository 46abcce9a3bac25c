/** A bid request as the rest of the bidder sees it. Every field is always there, so the objects keep one shape. */
export interface BidRequest {
  readonly id: string;
  readonly imps: readonly Imp[];
  readonly test: boolean;
  /** Milliseconds, 0 where absent. */
  readonly tmax: number;
  /** Allowed currencies, never empty. */
  readonly cur: readonly string[];
  /** Blocked categories in upper case, and their taxonomy (1 = IAB content 1.0). */
  readonly bcat: ReadonlySet<string>;
  readonly cattax: number;
  /** Blocked advertiser domains in lower case. */
  readonly badv: ReadonlySet<string>;
  readonly wseat: readonly string[];
  readonly bseat: readonly string[];
  readonly device: Device;
  readonly userId: string;
  readonly buyeruid: string;
  readonly regs: Regs;
}

export interface Device {
  readonly type: number | null;
  /** Lower case, '' unknown. */
  readonly os: string;
  readonly ifa: string;
  readonly lmt: boolean;
  readonly dnt: boolean;
  readonly location: Location | null;
  /** Upper case, two or three letters, '' unknown. */
  readonly country: string;
  /** Minutes east of UTC. */
  readonly utcoffset: number | null;
}

/** Where the device says it is; always a possible place. */
export interface Location {
  readonly lat: number;
  readonly lon: number;
  readonly type: number | null;
  readonly accuracy: number | null;
  readonly lastfix: number | null;
}

export interface Regs {
  readonly coppa: boolean;
  /** Null where the request does not say. */
  readonly gdpr: boolean | null;
  readonly usPrivacy: string;
  /** Sections of the GPP string that apply. */
  readonly gppSections: readonly number[];
}

/** A place for a banner: the only kind that is bid on. */
export interface Imp {
  readonly id: string;
  /** Pairs of width and height. */
  readonly sizes: readonly (readonly [w: number, h: number])[];
  /** CPM in `bidfloorcur`. */
  readonly bidfloor: number;
  readonly bidfloorcur: string;
  readonly battr: readonly number[];
  /** Only deals may bid. */
  readonly privateAuction: boolean;
}
