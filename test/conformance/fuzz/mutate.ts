import { gzipSync } from 'node:zlib';
import type { Sample } from '../../../load-tests/conformance/corpus.ts';
import { asProtobuf } from '../../../load-tests/conformance/examine.ts';
import { isObject, type Json, parseObject } from '../../../load-tests/conformance/judge/read.ts';
import { decodeRequest } from '../../../load-tests/conformance/protobuf.ts';
import type { Chance } from './chance.ts';

/** A spoilt request: one to four faults of values, text or bytes. */
export function mutate(corpus: readonly Sample[], chance: Chance): Sample {
  const sample = chance.pick(corpus);
  const { request } = sample;
  if (request === null || chance.below(10) === 0) return fromBytes(spoilBytes(sample.body, chance), sample.contentType);
  const changed = structuredClone(request) as Record<string, unknown>;
  for (let times = 1 + chance.below(3); times > 0; times--) spoilValue(changed, corpus, chance);
  const plain = fromText(JSON.stringify(changed), chance);
  if (chance.below(5) > 0) return plain;
  const carried = asProtobuf(plain);
  if (typeof carried === 'string') return plain;
  return fromBytes(chance.below(2) === 0 ? carried.body : spoilBytes(carried.body, chance), 'application/x-protobuf');
}

function fromText(text: string, chance: Chance): Sample {
  const spoilt = chance.below(4) === 0 ? spoilText(text, chance) : text;
  const bytes = Buffer.from(spoilt);
  return fromBytes(chance.below(10) === 0 ? spoilBytes(bytes, chance) : bytes, 'application/json');
}

function fromBytes(body: Buffer, contentType: Sample['contentType']): Sample {
  const request = contentType === 'application/json' ? parseObject(body) : decodeRequest(body);
  return { file: 'mutant', contentType, body, request, fatal: false };
}

const ODD: readonly unknown[] = [
  null,
  '',
  0,
  -1,
  1,
  true,
  false,
  1.5,
  -0.0001,
  1e308,
  2 ** 53,
  2 ** 31,
  'x',
  '1',
  '-1',
  '1e999',
  'NaN',
  'null',
  '0x10',
  '\u0000',
  '\ud800',
  '"><script>',
  ']]>',
  '${AUCTION_PRICE}',
  'http://plain.example/',
  '🛒',
  'x'.repeat(5_000),
  [],
  {},
  [[]],
  [null],
  [1, '1', null, {}],
  { id: 1 },
  { ext: [] },
];

/** Names that some reader knows, so that a thing gets to where another one belongs. */
const NAMES = (
  'id imp banner video audio native w h format wmin wratio hratio mimes protocols minduration maxduration rqddurs battr btype api linearity skip plcmt ' +
  'bidfloor bidfloorcur pmp deals private_auction wseat wadomain at cur tmax test bcat badv bapp acat cattax wlang bseat site app dooh device user regs ' +
  'source geo lat lon type accuracy ifa lmt dnt gdpr consent gpp gpp_sid us_privacy coppa eids schain nodes secure instl rwdd exp qty multiplier request assets ' +
  'title img data len required eventtrackers ext __proto__ constructor toString length mincpmpersec slotinpod podid minbitrate maxbitrate ' +
  'poddur maxseq hmin wmax hmax durfloors bidfloor mindur maxdur metric value sua browsers brand platform version model make osv carrier mccmnc ' +
  'connectiontype language langb city zip region country content sectioncat pagecat cat uids segment name segtax allimps tagid pos publisher'
).split(' ');

/** Changes one place somewhere in the tree. */
function spoilValue(root: Record<string, unknown>, corpus: readonly Sample[], chance: Chance): void {
  const place = placeIn(root, chance);
  if (place === null) return;
  const { holder, key } = place;
  const value = holder[key];
  const fault = chance.below(9);
  if (fault === 0) delete holder[key];
  else if (fault === 1 && !Array.isArray(holder)) put(holder, chance.pick(NAMES), value);
  else put(holder, key, spoiltValue(value, fault, corpus, chance));
}

function spoiltValue(value: unknown, fault: number, corpus: readonly Sample[], chance: Chance): unknown {
  if (fault <= 3) return structuredClone(chance.pick(ODD));
  if (fault === 4) return typeof value === 'number' ? chance.pick([String(value), -value, value * 1000, value + 0.5]) : [value];
  if (fault === 5) return Array.isArray(value) ? (value[0] ?? null) : { [chance.pick(NAMES)]: value };
  if (fault === 6) return foreign(corpus, chance);
  if (fault === 7) return Array.isArray(value) && value.length > 0 ? repeated(value, chance.pick([2, 20, 300])) : value;
  return typeof value === 'string' ? chance.pick([value.toUpperCase(), ` ${value}`, value.slice(1), `${value}\u0000`]) : value;
}

/** Also where the name is `__proto__`, which an assignment would take for something else. */
function put(holder: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}

interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

/** A random place: deep ones are as likely as shallow ones. */
function placeIn(root: object, chance: Chance): Place | null {
  const places: Place[] = [];
  const walk = (holder: Record<string, unknown>, depth: number): void => {
    for (const key of Object.keys(holder)) {
      places.push({ holder, key });
      const value = holder[key];
      if (depth < 12 && typeof value === 'object' && value !== null) walk(value as Record<string, unknown>, depth + 1);
    }
  };
  walk(root as Record<string, unknown>, 0);
  return places.length === 0 ? null : chance.pick(places);
}

/** Something out of another request. */
function foreign(corpus: readonly Sample[], chance: Chance): unknown {
  const { request } = chance.pick(corpus);
  const place = request === null ? null : placeIn(request, chance);
  return place === null ? null : structuredClone(place.holder[place.key]);
}

const repeated = (list: readonly unknown[], times: number): unknown[] =>
  Array.from({ length: times }, (_, index) => {
    const item = list[index % list.length];
    return isObject(item) && 'id' in (item as Json) && index % 7 > 0
      ? { ...item, id: `${String((item as Json)['id'])}-${index}` }
      : item;
  });

/** Faults that JSON.stringify would never write. */
function spoilText(text: string, chance: Chance): string {
  const colons = [...text.matchAll(/":/g)].map(({ index }) => index + 2);
  const at = colons.length === 0 ? 0 : chance.pick(colons);
  const [before, after] = [text.slice(0, at), text.slice(at)];
  const replaced = (value: string): string => before + after.replace(/^("(\\.|[^"\\])*"|[\d.eE+-]+|true|false|null)/, value);
  switch (chance.below(9)) {
    case 0:
      return replaced('1e999');
    case 1:
      return replaced('NaN');
    case 2:
      return replaced('123456789012345678901234567890');
    case 3:
      return `{"id":"first","imp":[],${text.slice(1)}`;
    case 4:
      return `${text.slice(0, -1)},"${chance.pick(NAMES)}":${JSON.stringify(chance.pick(ODD))}}`;
    case 5:
      return text.replace('{', '{"__proto__":{"test":1,"tmax":1,"cur":["EUR"]},');
    case 6:
      return replaced(`${'['.repeat(chance.pick([10, 5_000]))}1${']'.repeat(chance.pick([10, 5_000]))}`);
    case 7:
      return `\ufeff${text}`;
    default:
      return chance.pick([`${text}${text}`, `[${text}]`, ` \n${text}\n`, text.replaceAll('"', "'"), 'null', '[]', '""', '{}']);
  }
}

function spoilBytes(body: Buffer, chance: Chance): Buffer {
  const bytes = Buffer.from(body);
  if (bytes.length === 0) return bytes;
  const at = chance.below(bytes.length);
  switch (chance.below(7)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      for (let i = 1 + chance.below(8); i > 0; i--) bytes[chance.below(bytes.length)] = chance.below(256);
      return bytes;
    case 2:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([0xc3, 0x28, 0xff, 0x00]), bytes.subarray(at)]);
    case 3:
      return Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)]);
    case 4:
      return gzipSync(bytes).subarray(0, 10 + chance.below(40));
    case 5:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + chance.below(40)))]);
    default:
      return gzipSync(bytes);
  }
}
