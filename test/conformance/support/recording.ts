import { readFileSync } from 'node:fs';
import { decodeRequest } from '../../../bidder/openrtb/decode.ts';

/** Which fields of a bid request the bidder's decoder asks for, told by handing it objects that write down what is asked. */

interface Message {
  readonly fields: Record<string, { readonly type: string; readonly rule?: string }>;
  readonly nested?: Record<string, Message>;
}

const FIELDS = new URL('../../../load-tests/conformance/openrtb-fields.json', import.meta.url);
const { nested } = JSON.parse(readFileSync(FIELDS, 'utf8')) as { nested: Record<string, Message> };
const PLACES = ['site', 'app', 'dooh'] as const;

/** All fields of OpenRTB 2.6 by path, lists without their brackets; content of an app or a screen is as that of a site. */
export function specifiedFields(): string[] {
  const paths: string[] = [];
  visit('BidRequest', '', (path) => paths.push(path));
  visit('NativeRequest', 'imp.native.request', (path) => paths.push(path));
  return paths;
}

function visit(message: string, prefix: string, each: (path: string) => void): void {
  for (const [name, { type }] of Object.entries(lookUp(message).fields)) {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    if (name === 'request_native') continue;
    each(path);
    const target = resolve(message, type);
    // A banner beside a film, and a screen's or app's content, are told once.
    if (target !== null && !/companionad$|(app|dooh)\.(content|publisher)$/.test(path)) visit(target, path, each);
  }
}

function lookUp(message: string): Message {
  const [first = '', ...rest] = message.split('.');
  return rest.reduce((holder, name) => (holder.nested as Record<string, Message>)[name] as Message, nested[first] as Message);
}

/** A type's name is looked for from the inside to the outside. */
function resolve(message: string, type: string): string | null {
  if (/^[a-z]/.test(type)) return null;
  for (let scope = message; ; scope = scope.includes('.') ? scope.slice(0, scope.lastIndexOf('.')) : '') {
    const name = scope === '' ? type : `${scope}.${type}`;
    const [first = '', ...rest] = name.split('.');
    let holder: Message | undefined = nested[first];
    for (const part of rest) holder = holder?.nested?.[part];
    if (holder !== undefined) return name;
    if (scope === '') return null;
  }
}

/** Paths that are read of a request with every field, and of one with no field but those that lead somewhere. */
export function readFields(): Set<string> {
  const read = new Set<string>();
  for (const place of PLACES) {
    record(full('BidRequest', '', place), read);
    record(bare(place), read);
  }
  return read;
}

function full(message: string, path: string, place: string): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [name, { type, rule }] of Object.entries(lookUp(message).fields)) {
    const at = path === '' ? name : `${path}.${name}`;
    if (name === 'request_native' || at.length > 60 || (path === '' && PLACES.includes(name as 'site') && name !== place))
      continue;
    const target = resolve(message, type);
    const sample = SAMPLES[at];
    if (sample !== undefined) {
      object[name] = sample;
      continue;
    }
    const value =
      at === 'imp.native.request' ? nativeText(place) : target !== null ? full(target, at, place) : type === 'string' ? 'x' : 1;
    object[name] = rule === 'repeated' ? [value] : value;
  }
  return object;
}

/** Where any number will not do. */
const SAMPLES: Readonly<Record<string, unknown>> = {
  'device.geo.lat': 50.1109,
  'device.geo.lon': 8.6821,
  'imp.native.request.assets': [
    { id: 1, required: 1, title: { len: 1 } },
    { id: 2, required: 1, img: { type: 3, w: 1, h: 1, wmin: 1, hmin: 1, mimes: ['x'] } },
    { id: 3, required: 1, data: { type: 1, len: 1 } },
    { id: 4, required: 0, video: { mimes: ['x'], minduration: 1, maxduration: 1, protocols: [1] } },
  ],
};

const nativeText = (place: string): string => JSON.stringify(full('NativeRequest', 'imp.native.request', place));

/** With `ext` wherever fields of 2.5 may be. */
function bare(place: string): Record<string, unknown> {
  const media = { w: 1, h: 1, mimes: ['x'], ext: {} };
  const imp = {
    id: 'x',
    banner: media,
    video: media,
    audio: media,
    native: { request: nativeText(place), ext: {} },
    pmp: { deals: [{ id: 'x', ext: {} }], ext: {} },
    metric: [{ type: 'viewability' }],
    ext: {},
  };
  // A range of sizes is asked for only where there is no size.
  const ranged = { id: 'y', banner: { wmax: 1, hmax: 1 } };
  const user = { data: [{ ext: {} }], ext: {} };
  return {
    id: 'x',
    imp: [imp, ranged],
    [place]: { content: {}, ext: {} },
    device: { geo: { ext: {} }, ext: {} },
    user,
    regs: { ext: {} },
    source: { ext: {} },
    ext: {},
  };
}

function record(request: Record<string, unknown>, read: Set<string>): void {
  const parse = JSON.parse;
  let isRequest = true;
  JSON.parse = (text: string) => {
    const recorded = recording(parse(text) as object, isRequest ? '' : 'imp.native.request', read);
    isRequest = false;
    return recorded;
  };
  try {
    // A byte order mark leads past the reader that makes only what is read, to JSON.parse.
    const decoded = decodeRequest(Buffer.from(`\ufeff${JSON.stringify(request)}`));
    if (typeof decoded === 'string') throw new Error(`the recorded request was not read: ${decoded}`);
  } finally {
    JSON.parse = parse;
  }
}

function recording(value: object, path: string, read: Set<string>): object {
  return new Proxy(value, {
    get(target, name, receiver) {
      const found: unknown = Reflect.get(target, name, receiver);
      if (typeof name === 'symbol') return found;
      const at = Array.isArray(target) ? path : path === '' ? name : `${path}.${name}`;
      if (!Array.isArray(target) && !(name in Object.prototype)) read.add(at);
      return typeof found === 'object' && found !== null ? recording(found, at, read) : found;
    },
  });
}
