/** An object of the wire of which some members are read. */
export interface Shape {
  /** Of the values of all its members, in their order. */
  readonly make: (values: readonly unknown[]) => object;
  /** Where the values are gathered: no object lies within one of its own shape. */
  readonly values: unknown[];
  /** By a hash of length, first and last character, that is perfect for its names. */
  readonly slots: readonly (Field | null)[];
  readonly a: number;
  readonly b: number;
}

export interface Field {
  readonly name: string;
  /** Where its name begins in `LETTERS`. */
  readonly lettersAt: number;
  /** Of its value. */
  readonly at: number;
  readonly kind: Kind;
}

/** What a member is to be read as: an object of a shape, a list of such, or (null) whatever it is. */
export type Kind = { readonly shape: Shape; readonly isList: boolean } | null;

const MOST_LETTERS = 2_048;
/** The names of all fields, one after the other: they are compared with the bytes of a request. */
export const LETTERS = new Uint8Array(MOST_LETTERS);
let letters = 0;

const MOST_SLOTS = 256;
const FACTORS = 32;

/** Extensions are long, and next to nothing of them is read. */
const IMP_EXT = shapeOf(['qty', 'rwdd'], (v) => ({ qty: v[0], rwdd: v[1] }));
const DEVICE_EXT = shapeOf(['atts'], (v) => ({ atts: v[0] }));
const USER_EXT = shapeOf(['eids', 'consent'], (v) => ({ eids: v[0], consent: v[1] }));
const REGS_EXT = shapeOf(['coppa', 'gdpr', 'us_privacy', 'gpp', 'gpp_sid', 'gpc'], (v) => ({
  coppa: v[0],
  gdpr: v[1],
  us_privacy: v[2],
  gpp: v[3],
  gpp_sid: v[4],
  gpc: v[5],
}));
const CHAIN_EXT = shapeOf(['schain'], (v) => ({ schain: v[0] }));

/**
 * All that `decode.ts` and what it calls reads of each (`test/bidder/wire-json.test.ts` watches them): a name that is missing here would be
 * absent from every request. What fewer requests have, and `ext`, is read whole.
 */
const FORMAT = shapeOf(['w', 'h', 'wratio', 'hratio', 'wmin'], (v) => ({
  w: v[0],
  h: v[1],
  wratio: v[2],
  hratio: v[3],
  wmin: v[4],
}));

const BANNER = shapeOf(
  ['w', 'h', 'format', 'wmin', 'hmin', 'wmax', 'hmax', 'btype', 'battr', 'mimes', 'api', 'pos'],
  (v) => ({
    w: v[0],
    h: v[1],
    format: v[2],
    wmin: v[3],
    hmin: v[4],
    wmax: v[5],
    hmax: v[6],
    btype: v[7],
    battr: v[8],
    mimes: v[9],
    api: v[10],
    pos: v[11],
  }),
  { format: { shape: FORMAT, isList: true } },
);

const IMP = shapeOf(
  [
    'id',
    'ext',
    'instl',
    'banner',
    'video',
    'audio',
    'native',
    'bidfloor',
    'bidfloorcur',
    'qty',
    'pmp',
    'tagid',
    'secure',
    'exp',
    'metric',
    'rwdd',
  ],
  (v) => ({
    id: v[0],
    ext: v[1],
    instl: v[2],
    banner: v[3],
    video: v[4],
    audio: v[5],
    native: v[6],
    bidfloor: v[7],
    bidfloorcur: v[8],
    qty: v[9],
    pmp: v[10],
    tagid: v[11],
    secure: v[12],
    exp: v[13],
    metric: v[14],
    rwdd: v[15],
  }),
  { ext: { shape: IMP_EXT, isList: false }, banner: { shape: BANNER, isList: false } },
);

const CONTENT = shapeOf(['cat', 'cattax', 'language', 'langb'], (v) => ({
  cat: v[0],
  cattax: v[1],
  language: v[2],
  langb: v[3],
}));
const PUBLISHER = shapeOf(['id'], (v) => ({ id: v[0] }));

const PLACE = shapeOf(
  ['id', 'domain', 'bundle', 'page', 'content', 'publisher', 'cat', 'sectioncat', 'pagecat', 'cattax'],
  (v) => ({
    id: v[0],
    domain: v[1],
    bundle: v[2],
    page: v[3],
    content: v[4],
    publisher: v[5],
    cat: v[6],
    sectioncat: v[7],
    pagecat: v[8],
    cattax: v[9],
  }),
  { content: { shape: CONTENT, isList: false }, publisher: { shape: PUBLISHER, isList: false } },
);

const GEO = shapeOf(['lat', 'lon', 'type', 'accuracy', 'lastfix', 'country', 'region', 'city', 'zip', 'utcoffset'], (v) => ({
  lat: v[0],
  lon: v[1],
  type: v[2],
  accuracy: v[3],
  lastfix: v[4],
  country: v[5],
  region: v[6],
  city: v[7],
  zip: v[8],
  utcoffset: v[9],
}));

const DEVICE = shapeOf(
  [
    'geo',
    'ifa',
    'ext',
    'sua',
    'ua',
    'devicetype',
    'os',
    'osv',
    'make',
    'model',
    'carrier',
    'mccmnc',
    'connectiontype',
    'ip',
    'ipv6',
    'language',
    'langb',
    'lmt',
    'dnt',
  ],
  (v) => ({
    geo: v[0],
    ifa: v[1],
    ext: v[2],
    sua: v[3],
    ua: v[4],
    devicetype: v[5],
    os: v[6],
    osv: v[7],
    make: v[8],
    model: v[9],
    carrier: v[10],
    mccmnc: v[11],
    connectiontype: v[12],
    ip: v[13],
    ipv6: v[14],
    language: v[15],
    langb: v[16],
    lmt: v[17],
    dnt: v[18],
  }),
  { geo: { shape: GEO, isList: false }, ext: { shape: DEVICE_EXT, isList: false } },
);

const USER = shapeOf(
  ['id', 'buyeruid', 'eids', 'ext', 'data', 'consent'],
  (v) => ({
    id: v[0],
    buyeruid: v[1],
    eids: v[2],
    ext: v[3],
    data: v[4],
    consent: v[5],
  }),
  { ext: { shape: USER_EXT, isList: false } },
);

const REGS = shapeOf(
  ['coppa', 'gdpr', 'us_privacy', 'gpp', 'gpp_sid', 'gpc', 'ext'],
  (v) => ({
    coppa: v[0],
    gdpr: v[1],
    us_privacy: v[2],
    gpp: v[3],
    gpp_sid: v[4],
    gpc: v[5],
    ext: v[6],
  }),
  { ext: { shape: REGS_EXT, isList: false } },
);

const SOURCE = shapeOf(['schain', 'ext'], (v) => ({ schain: v[0], ext: v[1] }), {
  ext: { shape: CHAIN_EXT, isList: false },
});

export const REQUEST = shapeOf(
  [
    'id',
    'imp',
    'test',
    'at',
    'tmax',
    'allimps',
    'cur',
    'wlang',
    'wlangb',
    'bcat',
    'acat',
    'cattax',
    'badv',
    'bapp',
    'wseat',
    'bseat',
    'site',
    'app',
    'dooh',
    'device',
    'user',
    'regs',
    'source',
    'ext',
  ],
  (v) => ({
    id: v[0],
    imp: v[1],
    test: v[2],
    at: v[3],
    tmax: v[4],
    allimps: v[5],
    cur: v[6],
    wlang: v[7],
    wlangb: v[8],
    bcat: v[9],
    acat: v[10],
    cattax: v[11],
    badv: v[12],
    bapp: v[13],
    wseat: v[14],
    bseat: v[15],
    site: v[16],
    app: v[17],
    dooh: v[18],
    device: v[19],
    user: v[20],
    regs: v[21],
    source: v[22],
    ext: v[23],
  }),
  {
    imp: { shape: IMP, isList: true },
    site: { shape: PLACE, isList: false },
    app: { shape: PLACE, isList: false },
    dooh: { shape: PLACE, isList: false },
    device: { shape: DEVICE, isList: false },
    user: { shape: USER, isList: false },
    regs: { shape: REGS, isList: false },
    source: { shape: SOURCE, isList: false },
    ext: { shape: CHAIN_EXT, isList: false },
  },
);

/** Finds the hash: a few tries, once. */
function shapeOf(names: readonly string[], make: Shape['make'], kinds: Readonly<Record<string, NonNullable<Kind>>> = {}): Shape {
  const fields = names.map((name, at): Field => ({ name, lettersAt: keepLetters(name), at, kind: kinds[name] ?? null }));
  for (let size = 8; size <= MOST_SLOTS; size *= 2)
    for (let a = 1; a <= FACTORS; a++)
      for (let b = 1; b <= FACTORS; b++) {
        const slots = slotsFor(fields, { size, a, b });
        if (slots !== null) return { make, values: names.map(() => undefined), slots, a, b };
      }
  throw new Error(`no perfect hash of ${names.join(', ')}`);
}

/** Where they begin. */
function keepLetters(name: string): number {
  const at = letters;
  for (let i = 0; i < name.length; i++) LETTERS[letters++] = name.charCodeAt(i);
  if (letters > MOST_LETTERS) throw new Error('more names than there is room for');
  return at;
}

/** Null where two names meet. */
function slotsFor(
  fields: readonly Field[],
  { size, a, b }: { readonly size: number; readonly a: number; readonly b: number },
): (Field | null)[] | null {
  const slots = new Array<Field | null>(size).fill(null);
  for (const field of fields) {
    const { name } = field;
    const slot = (name.length * a + name.charCodeAt(0) * b + name.charCodeAt(name.length - 1)) & (size - 1);
    if (slots[slot] !== null) return null;
    slots[slot] = field;
  }
  return slots;
}
