import {
  extOf,
  flagOf,
  integerOf,
  integersOf,
  isAbsent,
  isObject,
  type JsonObject,
  moved,
  objectOf,
  objectsOf,
  protectionOf,
  type Quirks,
  textOf,
} from './fields.ts';
import type { BidRequest, Eid, Regs, Schain } from './request.ts';

const MAX_EIDS = 64;
const NO_EIDS: readonly Eid[] = Object.freeze([]);
const NO_DATA: BidRequest['userData'] = Object.freeze([]);

/** One for each id of each source. */
export function eidsOf(user: JsonObject, quirks: Quirks): readonly Eid[] {
  const value = moved(user['eids'], extOf(user)['eids'], quirks);
  if (isAbsent(value)) return NO_EIDS;
  const eids: Eid[] = [];
  for (const eid of objectsOf(value, quirks)) {
    const source = textOf(eid['source'], quirks).trim().toLowerCase();
    for (const uid of objectsOf(eid['uids'], quirks)) {
      const id = textOf(uid['id'], quirks);
      if (source !== '' && id !== '' && eids.length < MAX_EIDS) eids.push({ source, id });
    }
  }
  return eids;
}

export function userDataOf(user: JsonObject, quirks: Quirks): BidRequest['userData'] {
  if (isAbsent(user['data'])) return NO_DATA;
  return objectsOf(user['data'], quirks).map((data) => ({
    name: textOf(data['name'], quirks) || textOf(data['id'], quirks),
    segtax: integerOf(objectOf(data['ext'], quirks)['segtax'], quirks) ?? 0,
    ids: objectsOf(data['segment'], quirks)
      .map((segment) => textOf(segment['id'], quirks))
      .filter((id) => id !== ''),
  }));
}

export function regsOf(regs: JsonObject, user: JsonObject, quirks: Quirks): Regs {
  const ext = extOf(regs);
  return {
    coppa: protectionOf(moved(regs['coppa'], ext['coppa'], quirks), quirks) ?? false,
    gdpr: protectionOf(moved(regs['gdpr'], ext['gdpr'], quirks), quirks),
    consent: textOf(moved(user['consent'], extOf(user)['consent'], quirks), quirks),
    usPrivacy: textOf(moved(regs['us_privacy'], ext['us_privacy'], quirks), quirks),
    gpp: textOf(moved(regs['gpp'], ext['gpp'], quirks), quirks),
    gppSections: integersOf(moved(regs['gpp_sid'], ext['gpp_sid'], quirks), quirks).filter((section) => section > 0),
    gpc: protectionOf(gpcOf(regs), quirks) ?? false,
  };
}

/** It never had a place of its own: its home is the `ext`. */
function gpcOf(regs: JsonObject): unknown {
  const { ext } = regs;
  return isObject(ext) && !isAbsent(ext['gpc']) ? ext['gpc'] : regs['gpc'];
}

const BROKEN_CHAIN: Schain = Object.freeze({ complete: false, nodes: Object.freeze([]) });

/** `source.schain`, or where 2.5 and those before it had it. A chain that cannot be read is not the same as none. */
export function schainOf(wire: JsonObject, quirks: Quirks): Schain | null {
  const source = objectOf(wire['source'], quirks);
  const value = moved(source['schain'], extOf(source)['schain'], quirks) ?? objectOf(wire['ext'], quirks)['schain'];
  if (isAbsent(value)) return null;
  const nodes = isObject(value) ? value['nodes'] : null;
  if (!isObject(value) || !Array.isArray(nodes)) {
    quirks.add('unreadable_schain');
    return BROKEN_CHAIN;
  }
  return { complete: flagOf(value['complete'], quirks), nodes: nodes.map((node) => nodeOf(node, quirks)) };
}

/** A node that cannot be read is still a hop. */
function nodeOf(value: unknown, quirks: Quirks): Schain['nodes'][number] {
  const node = objectOf(value, quirks);
  const hp = node['hp'];
  return {
    asi: textOf(node['asi'], quirks).trim().toLowerCase(),
    sid: textOf(node['sid'], quirks),
    hp: isAbsent(hp) ? null : flagOf(hp, quirks),
  };
}
