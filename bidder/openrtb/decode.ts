import type { NoBidReason } from '../../proto/no-bid.ts';
import { deviceOf } from './device.ts';
import {
  amountOf,
  flagOf,
  integerOf,
  isAbsent,
  isObject,
  type JsonObject,
  numberOf,
  objectOf,
  type Quirks,
  textOf,
  textsOf,
} from './fields.ts';
import { idOf, impsOf, MAX_ID } from './imps.ts';
import { inventoryOf } from './inventory.ts';
import { parseJson } from './json.ts';
import { listed, lower, upper } from './listed.ts';
import { decodeRequestMessage } from './protobuf.ts';
import type { BidRequest } from './request.ts';
import { eidsOf, regsOf, schainOf, userDataOf } from './user.ts';

/** How a body is written, and so its answer. */
export type Format = 'json' | 'protobuf';

/** `malformed` is answered with 400; the others are no-bids. */
export type DecodeFault = 'malformed' | NoBidReason;

/** What decoding finds beside the request; also of one that is refused, where it can be read. */
export interface DecodeNotes {
  readonly quirks: Quirks;
  id: string;
  test: boolean;
  /** A native request came as a protobuf message, and so its markup is expected. */
  nativeMessages: boolean;
}

export function decodeNotes(): DecodeNotes {
  return { quirks: new Set(), id: '', test: false, nativeMessages: false };
}

/**
 * Reads OpenRTB 2.3 … 2.6, field by field: what a real sender gets wrong is tolerated where it can be trusted, else the same as
 * absent (`quirks.ts`). A request of the same fields is the same in both formats. Never throws.
 */
export function decodeRequest(body: Buffer, format: Format = 'json', notes = decodeNotes()): BidRequest | DecodeFault {
  const { quirks } = notes;
  const wire = format === 'json' ? parseJson(body, quirks) : decodeRequestMessage(body);
  if (!isObject(wire)) return 'malformed';
  const id = idOf(wire['id'], quirks);
  const { imp } = wire;
  if (id === '' || !Array.isArray(imp) || imp.length === 0) return 'malformed';
  if (id.length > MAX_ID || id.includes('\ufffd')) return 'invalid_request';
  notes.id = id;
  notes.test = flagOf(wire['test'], quirks);
  const request = requestOf(wire, imp, notes);
  if (format === 'protobuf') forgiveProtobuf(notes);
  return request;
}

/** Protobuf has booleans where JSON has 0 and 1, and may have a message where JSON has text. */
function forgiveProtobuf(notes: DecodeNotes): void {
  notes.quirks.delete('flag_as_boolean');
  notes.nativeMessages = notes.quirks.delete('native_request_object');
}

function requestOf(wire: JsonObject, imp: readonly unknown[], { id, test, quirks }: DecodeNotes): BidRequest | DecodeFault {
  const inventory = inventoryOf(wire, quirks);
  if (inventory === null) return 'invalid_request';
  const imps = impsOf(imp, quirks);
  if (imps === null) return 'invalid_request';
  const user = objectOf(wire['user'], quirks);
  const cur = textsOf(wire['cur'], quirks);
  const at = integerOf(wire['at'], quirks);
  if (at === null) quirks.add('at_missing');
  return {
    id,
    imps,
    test,
    at: Math.max(0, at ?? 0),
    tmax: tmaxOf(wire, quirks),
    allimps: flagOf(wire['allimps'], quirks),
    cur: cur.length === 0 ? USD : cur.map(upper),
    wlang: languagesOf(wire, quirks),
    bcat: listed(textsOf(wire['bcat'], quirks), upper),
    acat: listed(textsOf(wire['acat'], quirks), upper),
    cattax: taxonomyOf(wire['cattax'], quirks),
    badv: listed(textsOf(wire['badv'], quirks), lower),
    bapp: listed(textsOf(wire['bapp'], quirks), same),
    wseat: textsOf(wire['wseat'], quirks),
    bseat: textsOf(wire['bseat'], quirks),
    inventory,
    device: deviceOf(objectOf(wire['device'], quirks), quirks),
    userId: textOf(user['id'], quirks),
    buyeruid: textOf(user['buyeruid'], quirks),
    eids: eidsOf(user, quirks),
    userData: userDataOf(user, quirks),
    regs: regsOf(objectOf(wire['regs'], quirks), user, quirks),
    schain: schainOf(wire, quirks),
  };
}

const USD: readonly string[] = Object.freeze(['USD']);
const ANY_LANGUAGE: readonly string[] = Object.freeze([]);
const same = (text: string): string => text;

function tmaxOf(wire: JsonObject, quirks: Quirks): number {
  const tmax = Math.max(0, numberOf(wire['tmax'], quirks) ?? 0);
  if (tmax === 0) quirks.add('tmax_missing');
  return tmax;
}

/** ISO 639-1 of `wlang`, and the language of the BCP 47 tags of `wlangb`. */
function languagesOf(wire: JsonObject, quirks: Quirks): readonly string[] {
  if (isAbsent(wire['wlang']) && isAbsent(wire['wlangb'])) return ANY_LANGUAGE;
  const tags = [...textsOf(wire['wlang'], quirks), ...textsOf(wire['wlangb'], quirks)];
  return tags.map((tag) => tag.trim().split(/[-_]/, 1)[0]?.toLowerCase() ?? '');
}

/** 0, which is none, where it cannot be read: then nobody knows what the lists say. */
function taxonomyOf(value: unknown, quirks: Quirks): number {
  if (isAbsent(value)) return 1;
  const taxonomy = amountOf(value, quirks);
  if (taxonomy === 0) quirks.add('taxonomy_unreadable');
  return taxonomy;
}
