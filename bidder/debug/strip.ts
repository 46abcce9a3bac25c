import type { Permission } from '../privacy.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * What is kept of a live request that is shown to people: fields that say what is sold and to what kind of device, by name. All else is left
 * out: identifiers, addresses, texts that somebody typed, and extensions that nobody here knows.
 */
const REQUEST = 'at tmax cur wlang wlangb bcat cattax acat badv bapp wseat bseat allimps test'.split(' ');
const IMP = 'id tagid instl rwdd secure bidfloor bidfloorcur exp clickbrowser displaymanager displaymanagerver ssai qty dt'.split(
  ' ',
);
const INVENTORY = 'id name domain bundle storeurl cat cattax sectioncat pagecat ver mobile venuetype venuetypetax'.split(' ');
const CONTENT = 'cat cattax language langb genre len livestream context prodq qagmediarating'.split(' ');
const DEVICE = 'devicetype os osv make model hwv h w ppi pxratio js language langb carrier mccmnc connectiontype dnt lmt'.split(
  ' ',
);
const GEO = 'country region type utcoffset'.split(' ');
/** Not `rid`, which is the auction's name elsewhere. */
const NODE = 'asi sid hp name domain'.split(' ');
const REGS = 'coppa gdpr us_privacy gpp gpp_sid'.split(' ');

/** About a kilometre: enough to tell the part of a town, too little to tell a home. */
const DECIMALS = 100;
/** Of a user agent as much as tells the browser and its system. */
const UA_LENGTH = 300;

/** In place of an advertising id: what is missing, or only zeroes, says that tracking is limited. */
const NOBODYS_IFA = '7a1c1c0d-0000-4000-8000-000000000000';
const REMOVED = 'removed';

/** The request under another id. Where it named a person it still does, by ids that are nobody's. */
export function strippedRequest(request: Fields, permission: Permission, id: string): object {
  return {
    id,
    ...picked(request, REQUEST),
    imp: listOf(request['imp']).map(strippedImp),
    ...inventoryOf(request),
    device: strippedDevice(objectOf(request['device']), permission),
    user: strippedUser(objectOf(request['user']), permission),
    regs: strippedRegs(objectOf(request['regs'])),
    ...sourceOf(objectOf(request['source'])),
  };
}

/** Sizes, formats, floors and deals. */
function strippedImp(imp: Fields): object {
  const media = ['banner', 'video', 'audio', 'native', 'metric', 'pmp'].flatMap((name) =>
    imp[name] === undefined ? [] : [[name, withoutExtensions(imp[name])]],
  );
  return { ...picked(imp, IMP), ...Object.fromEntries(media) };
}

function inventoryOf(request: Fields): object {
  return Object.fromEntries(
    ['site', 'app', 'dooh'].flatMap((kind) => {
      if (request[kind] === undefined) return [];
      const inventory = objectOf(request[kind]);
      const publisher = picked(objectOf(inventory['publisher']), ['id', 'domain']);
      const content = picked(objectOf(inventory['content']), CONTENT);
      return [[kind, { ...picked(inventory, INVENTORY), ...pageOf(inventory['page']), publisher, content }]];
    }),
  );
}

/** Without what was asked of the page, who asked for it, and addresses in its path: people's names are in there, and their searches. */
function pageOf(page: unknown): object {
  if (typeof page !== 'string') return {};
  const [whole = ''] = page.split(/[?#;]/, 1);
  const parts = whole.replace(/^(\w+:\/\/)[^/]*@/, '$1').split('/');
  return { page: parts.map((part) => (/@|%40/i.test(part) ? REMOVED : part)).join('/') };
}

function strippedDevice(device: Fields, permission: Permission): object {
  const { ua, sua, ifa } = device;
  const atts = objectOf(device['ext'])['atts'];
  return {
    ...picked(device, DEVICE),
    ...(typeof ua === 'string' ? { ua: ua.slice(0, UA_LENGTH) } : {}),
    ...(sua === undefined ? {} : { sua: picked(objectOf(sua), ['browsers', 'platform', 'mobile']) }),
    ...(permission.identifiers && isId(ifa) ? { ifa: NOBODYS_IFA } : {}),
    ...(atts === undefined ? {} : { ext: { atts } }),
    geo: strippedGeo(objectOf(device['geo']), permission),
  };
}

/** Neither absent nor zeroed. */
function isId(value: unknown): boolean {
  return typeof value === 'string' && /[1-9a-f]/i.test(value);
}

/** The place is rounded where it might be used, and gone where it might not; what is named below a region goes with it. */
function strippedGeo(geo: Fields, { preciseLocation, storeLocation }: Permission): object {
  const kept = picked(geo, GEO);
  const { lat, lon } = geo;
  if (!preciseLocation || !storeLocation || typeof lat !== 'number' || typeof lon !== 'number') return kept;
  return { ...kept, ...picked(geo, ['city', 'zip']), lat: rounded(lat), lon: rounded(lon) };
}

function rounded(degrees: number): number {
  return Math.round(degrees * DECIMALS) / DECIMALS;
}

/** Whose ids there were, without the ids; what others say of the person only where a profile may be read. */
function strippedUser(user: Fields, { profile, identifiers }: Permission): object {
  const { consent } = user;
  const extension = objectOf(user['ext']);
  const eids = [...listOf(user['eids']), ...listOf(extension['eids'])].map((eid) => ({
    ...picked(eid, ['source']),
    uids: [{ id: REMOVED }],
  }));
  const data = listOf(user['data']).map((one) => ({
    ...picked(one, ['name']),
    segment: listOf(one['segment']).map((segment) => picked(segment, ['id'])),
    ext: picked(objectOf(one['ext']), ['segtax']),
  }));
  return {
    ...(typeof consent === 'string' ? { consent } : {}),
    ...(identifiers && isId(user['id']) ? { id: REMOVED } : {}),
    ...(profile && eids.length > 0 ? { eids } : {}),
    ...(profile && data.length > 0 ? { data } : {}),
    ...(typeof extension['consent'] === 'string' ? { ext: { consent: extension['consent'] } } : {}),
  };
}

function strippedRegs(regs: Fields): object {
  const extension = picked(objectOf(regs['ext']), ['gdpr', 'us_privacy', 'gpc']);
  return { ...picked(regs, REGS), ...(Object.keys(extension).length === 0 ? {} : { ext: extension }) };
}

function sourceOf(source: Fields): object {
  const schain = source['schain'] ?? objectOf(source['ext'])['schain'];
  if (schain === undefined) return {};
  const nodes = listOf(objectOf(schain)['nodes']).map((node) => picked(node, NODE));
  return { source: { schain: { ...picked(objectOf(schain), ['ver', 'complete']), nodes } } };
}

function withoutExtensions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutExtensions);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => (name === 'ext' ? [] : [[name, withoutExtensions(inner)]])),
  );
}

function picked(fields: Fields, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]]])));
}

function objectOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}
