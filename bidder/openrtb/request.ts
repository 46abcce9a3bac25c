import type { Listed } from './listed.ts';

/** A bid request as the rest of the bidder sees it. Every field is always there, so the objects keep one shape. */
export interface BidRequest {
  readonly id: string;
  readonly imps: readonly Imp[];
  readonly test: boolean;
  /** 1 first price, 2 second price; the exchange's own numbers from 500. 0 unknown. */
  readonly at: number;
  /** Milliseconds, 0 where absent. */
  readonly tmax: number;
  readonly allimps: boolean;
  /** Allowed currencies, never empty. */
  readonly cur: readonly string[];
  /** Allowed languages of the creative, lower case; empty: any. */
  readonly wlang: readonly string[];
  /** Blocked and allowed categories in upper case, and their taxonomy (1 = IAB content 1.0). */
  readonly bcat: Listed;
  readonly acat: Listed;
  readonly cattax: number;
  /** Blocked advertiser domains in lower case. */
  readonly badv: Listed;
  /** Blocked bundles of advertised apps. */
  readonly bapp: Listed;
  readonly wseat: readonly string[];
  readonly bseat: readonly string[];
  readonly inventory: Inventory;
  readonly device: Device;
  readonly userId: string;
  readonly buyeruid: string;
  readonly eids: readonly Eid[];
  /** Segments that the request itself brings, by taxonomy (0 = proprietary). */
  readonly userData: readonly { readonly name: string; readonly segtax: number; readonly ids: readonly string[] }[];
  readonly regs: Regs;
  readonly schain: Schain | null;
}

/** Where the ad would be shown. */
export interface Inventory {
  readonly kind: 'site' | 'app' | 'dooh' | 'unknown';
  readonly id: string;
  /** Lower case. */
  readonly domain: string;
  readonly bundle: string;
  readonly page: string;
  readonly publisher: string;
  /** Upper case, of the site or app, its section and page, and of the content. */
  readonly categories: readonly string[];
  /** ISO 639-1 lower case of the content, '' unknown. */
  readonly contentLanguage: string;
}

export interface Device {
  readonly type: number | null;
  /** Lower case, '' unknown; so are osv, make, model, carrier. */
  readonly os: string;
  readonly osv: string;
  readonly make: string;
  readonly model: string;
  /** Of the structured user agent; which browser that is, `browserIn` tells. */
  readonly brands: readonly string[];
  readonly carrier: string;
  /** `device.mccmnc`, '' unknown. */
  readonly mccmnc: string;
  readonly connectionType: number | null;
  readonly ua: string;
  readonly ip: string;
  readonly language: string;
  readonly ifa: string;
  readonly lmt: boolean;
  readonly dnt: boolean;
  /** iOS App Tracking Transparency, `ext.atts`, null unknown. */
  readonly atts: number | null;
  readonly location: Location | null;
  /** Upper case alpha-3 (alpha-2 is mapped), '' unknown. */
  readonly country: string;
  readonly region: string;
  /** Lower case. */
  readonly city: string;
  readonly zip: string;
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

export interface Eid {
  readonly source: string;
  readonly id: string;
}

export interface Regs {
  readonly coppa: boolean;
  /** Null where the request does not say. */
  readonly gdpr: boolean | null;
  /** TCF string, `user.consent` or `user.ext.consent`. */
  readonly consent: string;
  readonly usPrivacy: string;
  readonly gpp: string;
  /** Sections of the GPP string that apply. */
  readonly gppSections: readonly number[];
  /** Global Privacy Control said by the request (`regs.ext.gpc`). */
  readonly gpc: boolean;
}

export interface Schain {
  readonly complete: boolean;
  readonly nodes: readonly { readonly asi: string; readonly sid: string; readonly hp: boolean | null }[];
}

/** A place for an ad. At least one of its media objects is not null. */
export interface Imp {
  readonly id: string;
  readonly tagid: string;
  readonly instl: boolean;
  readonly rwdd: boolean;
  /** Null where the request does not say; our markup is secure anyway where our address is. */
  readonly secure: boolean | null;
  /** CPM in `bidfloorcur`. */
  readonly bidfloor: number;
  readonly bidfloorcur: string;
  /** Seconds until the impression, 0 unknown. */
  readonly exp: number;
  /** DOOH: people who see one play, `qty.multiplier`; 1 elsewhere. */
  readonly multiplier: number;
  readonly deals: readonly Deal[];
  /** OpenRTB ad position of the banner or video, null unknown. */
  readonly position: number | null;
  /** Share of past impressions in view, 0 to 1 (`imp.metric`), null unknown. */
  readonly viewability: number | null;
  /** Only deals may bid. */
  readonly privateAuction: boolean;
  readonly banner: BannerImp | null;
  readonly video: VideoImp | null;
  readonly audio: AudioImp | null;
  readonly native: NativeImp | null;
}

/** Floors of a spot by its length, in the currency of the floor beside them. */
export interface SpotFloors {
  /** CPM per second, 0 none. */
  readonly mincpmpersec: number;
  /** For lengths within these (seconds, both included) in place of `bidfloor`. */
  readonly durfloors: readonly { readonly mindur: number; readonly maxdur: number; readonly bidfloor: number }[];
}

export interface Deal extends SpotFloors {
  readonly id: string;
  readonly bidfloor: number;
  readonly bidfloorcur: string;
  readonly at: number;
  readonly wseat: readonly string[];
  readonly wadomain: readonly string[];
  readonly guaranteed: boolean;
}

export interface BannerImp {
  /** Pairs of width and height, pixels. */
  readonly sizes: readonly (readonly [w: number, h: number])[];
  /** Ratios with a least width: w : h of `wratio`, `hratio`. */
  readonly ratios: readonly { readonly w: number; readonly h: number; readonly wmin: number }[];
  /** Any size within, both ends included: `wmin` to `hmax` of before 2.5, where no other size is named. Null: none. */
  readonly range: { readonly wmin: number; readonly wmax: number; readonly hmin: number; readonly hmax: number } | null;
  readonly btype: readonly number[];
  readonly battr: readonly number[];
  /** Whether its media types allow HTML. */
  readonly html: boolean;
  readonly api: readonly number[];
  readonly pos: number | null;
}

/** Where in a pod of spots a place is, or the pod that one place stands for. */
export interface PodPlace {
  /** Places with the same one are of one pod; '' of none that is known. */
  readonly podid: string;
  /** -1 last, 1 first, 2 first or last; 0 any. */
  readonly slotinpod: number;
  /** The place is a dynamic pod: seconds and spots that it takes altogether; Infinity where that is not said. */
  readonly poddur: number;
  readonly maxseq: number;
}

export interface VideoImp extends SpotFloors, PodPlace {
  readonly mimes: readonly string[];
  readonly w: number;
  readonly h: number;
  /** Seconds; maxduration Infinity where absent. */
  readonly minduration: number;
  readonly maxduration: number;
  /** Exact lengths, seconds; then min and max do not count. */
  readonly rqddurs: readonly number[];
  readonly protocols: readonly number[];
  /** Null: any. */
  readonly linearity: number | null;
  readonly plcmt: number | null;
  readonly skip: boolean | null;
  readonly battr: readonly number[];
  readonly api: readonly number[];
  readonly minbitrate: number;
  readonly maxbitrate: number;
}

export interface AudioImp extends SpotFloors, PodPlace {
  readonly mimes: readonly string[];
  readonly minduration: number;
  readonly maxduration: number;
  readonly rqddurs: readonly number[];
  readonly protocols: readonly number[];
  readonly battr: readonly number[];
  readonly api: readonly number[];
  readonly minbitrate: number;
  readonly maxbitrate: number;
}

export interface NativeImp {
  readonly ver: string;
  readonly assets: readonly NativeAsset[];
  readonly battr: readonly number[];
  readonly api: readonly number[];
  /** Event tracker methods by event that the seller supports (event 1 impression; methods 1 img, 2 js). */
  readonly trackers: readonly { readonly event: number; readonly methods: readonly number[] }[];
}

export interface NativeAsset {
  readonly id: number;
  readonly required: boolean;
  readonly kind: 'title' | 'img' | 'data' | 'video';
  /** img: 1 icon, 3 main; data: type of the list; 0 else. */
  readonly type: number;
  /** title, data: longest text; 0 any. */
  readonly len: number;
  /** img: exact or least pixels, 0 any. */
  readonly w: number;
  readonly h: number;
  readonly wmin: number;
  readonly hmin: number;
  readonly mimes: readonly string[];
}
