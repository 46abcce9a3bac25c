import { mediaTypesOf } from './banner.ts';
import {
  amountOf,
  flagOf,
  integerOf,
  integersOf,
  isObject,
  type JsonObject,
  objectOf,
  objectsOf,
  type Quirks,
  textOf,
} from './fields.ts';
import type { NativeAsset, NativeImp } from './request.ts';

const MAX_ASSETS = 100;

/** Null where the request in it cannot be read, or asks for an asset that no answer could name. */
export function nativeOf(native: JsonObject, quirks: Quirks): NativeImp | null {
  const request = requestOf(native['request'], quirks);
  const assets = request === null ? null : assetsOf(request, quirks);
  if (request === null || assets === null) {
    quirks.add('native_request_unreadable');
    return null;
  }
  return {
    ver: versionOf(native['ver'], quirks) || versionOf(request['ver'], quirks),
    assets,
    battr: integersOf(native['battr'], quirks),
    api: integersOf(native['api'], quirks),
    trackers: objectsOf(request['eventtrackers'], quirks).map((tracker) => ({
      event: integerOf(tracker['event'], quirks) ?? 0,
      methods: integersOf(tracker['methods'], quirks),
    })),
  };
}

/** Said back in the answer, so nothing else than a version gets there. */
function versionOf(value: unknown, quirks: Quirks): string {
  const version = textOf(value, quirks);
  return /^1(\.\d)?$/.test(version) ? version : '';
}

/** A JSON text as specified, or the object itself; with the wrapper of 1.0 or without. */
function requestOf(value: unknown, quirks: Quirks): JsonObject | null {
  if (isObject(value)) quirks.add('native_request_object');
  const request = typeof value === 'string' ? parse(value) : value;
  if (!isObject(request)) return null;
  const wrapped = request['native'];
  return isObject(wrapped) ? wrapped : request;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Null without any, and where one that is required cannot be answered. */
function assetsOf(request: JsonObject, quirks: Quirks): NativeAsset[] | null {
  const assets: NativeAsset[] = [];
  const ids = new Set<number>();
  for (const wire of objectsOf(request['assets'], quirks).slice(0, MAX_ASSETS)) {
    const asset = assetOf(wire, quirks);
    if (asset !== null && !ids.has(asset.id)) {
      ids.add(asset.id);
      assets.push(asset);
      continue;
    }
    quirks.add('native_asset_unreadable');
    if (flagOf(wire['required'], quirks)) return null;
  }
  return assets.length === 0 ? null : assets;
}

function assetOf(wire: JsonObject, quirks: Quirks): NativeAsset | null {
  const id = integerOf(wire['id'], quirks);
  const kind = kindOf(wire);
  if (id === null || kind === null) return null;
  const part = objectOf(wire[kind], quirks);
  return {
    id,
    required: flagOf(wire['required'], quirks),
    kind,
    type: amountOf(part['type'], quirks),
    len: amountOf(part['len'], quirks),
    w: amountOf(part['w'], quirks),
    h: amountOf(part['h'], quirks),
    wmin: amountOf(part['wmin'], quirks),
    hmin: amountOf(part['hmin'], quirks),
    mimes: mediaTypesOf(part, quirks),
  };
}

function kindOf(asset: JsonObject): NativeAsset['kind'] | null {
  for (const kind of ['title', 'img', 'data', 'video'] as const) if (isObject(asset[kind])) return kind;
  return null;
}
