import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, extname, join, relative } from 'node:path';
import { isObject, type Json, objectsOf, parseObject, textOf } from './judge/read.ts';
import { decodeRequest } from './protobuf.ts';

/** A request of the folder. */
export interface Sample {
  /** Path within the folder. */
  readonly file: string;
  readonly contentType: 'application/json' | 'application/x-protobuf';
  readonly body: Buffer;
  /** Null where the bytes are no request. */
  readonly request: Json | null;
  /** A manifest says that it must not be bid on. */
  readonly fatal: boolean;
}

const MANIFEST = 'manifest.json';
const REQUEST = /\.(json|txt|bin)$/i;

/** All requests of a folder and the folders in it, in the order of their names. */
export async function readCorpus(folder: string): Promise<Sample[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const fatal = new Set<string>();
  for (const file of files.filter((path) => basename(path) === MANIFEST)) {
    for (const name of await fatalOf(file)) fatal.add(join(dirname(file), name));
  }
  const requests = files.filter((file) => REQUEST.test(file) && basename(file) !== MANIFEST).sort();
  return Promise.all(requests.map(async (file) => sampleOf(relative(folder, file), await readFile(file), fatal.has(file))));
}

/** Files that the manifest calls fatal, relative to it. */
async function fatalOf(manifest: string): Promise<string[]> {
  const list: unknown = JSON.parse(await readFile(manifest, 'utf8'));
  return objectsOf(list)
    .filter((entry) => entry['fatal'] === true || textOf(entry['class']).startsWith('fatal'))
    .map((entry) => textOf(entry['file']));
}

export function sampleOf(file: string, body: Buffer, fatal: boolean): Sample {
  const isProtobuf = extname(file).toLowerCase() === '.bin';
  const request = isProtobuf ? decodeRequest(body) : parseObject(body);
  return { file, contentType: isProtobuf ? 'application/x-protobuf' : 'application/json', body, request, fatal };
}

/** All imps of all requests. */
export const impsOf = (samples: readonly Sample[]): Json[] =>
  samples.flatMap(({ request }) => objectsOf(request?.['imp'])).filter(isObject);
