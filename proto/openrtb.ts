/** OpenRTB 2.6 on the wire: the fields that Walkin sends or reads. Names as in the specification. */

export interface WireGeo {
  lat?: number;
  lon?: number;
  type?: number;
  accuracy?: number;
  lastfix?: number;
  country?: string;
  utcoffset?: number;
}

export interface WireRequest {
  id: string;
  imp: WireImp[];
  site?: { id?: string; domain?: string; page?: string; cat?: string[] };
  app?: { id?: string; bundle?: string; name?: string; cat?: string[] };
  device?: {
    ua?: string;
    ip?: string;
    geo?: WireGeo;
    dnt?: number;
    lmt?: number;
    devicetype?: number;
    os?: string;
    ifa?: string;
  };
  user?: { id?: string; buyeruid?: string; consent?: string };
  regs?: { coppa?: number; gdpr?: number; us_privacy?: string };
  test?: number;
  at?: number;
  tmax?: number;
  cur?: string[];
  bcat?: string[];
  badv?: string[];
}

export interface WireImp {
  id: string;
  banner?: { w?: number; h?: number; format?: { w: number; h: number }[]; battr?: number[] };
  bidfloor?: number;
  bidfloorcur?: string;
  secure?: number;
}

export interface WireResponse {
  id: string;
  bidid?: string;
  cur?: string;
  /** Why nothing is bid; then `seatbid` is empty. */
  nbr?: number;
  seatbid: WireSeatBid[];
}

export interface WireSeatBid {
  seat?: string;
  /** 1: all bids or none. */
  group?: number;
  bid: WireBid[];
}

export interface WireBid {
  id: string;
  impid: string;
  /** CPM in the response's currency. */
  price: number;
  adid?: string;
  adm: string;
  adomain: string[];
  /** Advertised app. */
  bundle?: string;
  iurl?: string;
  cid: string;
  crid: string;
  cat?: string[];
  cattax?: number;
  attr?: number[];
  apis?: number[];
  /** Of the VAST. */
  protocol?: number;
  language?: string;
  dealid?: string;
  w?: number;
  h?: number;
  wratio?: number;
  hratio?: number;
  /** Seconds of video or audio. */
  dur?: number;
  slotinpod?: number;
  /** 1 banner, 2 video, 3 audio, 4 native. */
  mtype: number;
  exp?: number;
  nurl?: string;
  burl?: string;
  lurl?: string;
  /** JSON only: protobuf has no place for it. */
  ext?: Record<string, unknown>;
}
