import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export type Json = Record<string, unknown>;

/** The valid requests under `<shared>/data/openrtb/valid` that are JSON objects, in a fixed order; none where there is no such folder. */
export function readCorpus(shared: string | null): Json[] {
  if (shared === null) return [];
  const folder = join(shared, 'data/openrtb/valid');
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return files
    .filter((file) => file.endsWith('.json') && !file.endsWith('manifest.json'))
    .flatMap((file) => requestIn(join(folder, file)));
}

function requestIn(file: string): Json[] {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isObject(value) && Array.isArray(value['imp']) ? [value] : [];
  } catch {
    return [];
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
