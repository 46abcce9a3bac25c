import { readdirSync, readFileSync } from 'node:fs';
import type { Import, ImportFormat, ImportType, ResolvedImport } from './import.ts';
import type { Mapping } from './mapping.ts';

/** How files of one kind look: `presets/<name>.json`, with an exemplary file `presets/<name>.example.<csv|ndjson|json>` beside it. */
export interface Preset {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly type: ImportType;
  readonly format: ImportFormat;
  readonly encoding?: Import['encoding'];
  readonly delimiter?: string;
  readonly mapping?: Mapping;
  /** What of its exemplary file must come in: read by the test that imports it. */
  readonly example: {
    readonly file: string;
    readonly accepted: number;
    readonly skipped?: number;
    readonly check?: { readonly sql: string; readonly row: object };
  };
}

const FOLDER = new URL('./presets/', import.meta.url);

let read: ReadonlyMap<string, Preset> | null = null;

/** All of them, by name. Read once. */
export function importPresets(): ReadonlyMap<string, Preset> {
  read ??= new Map(
    readdirSync(FOLDER)
      .filter((file) => file.endsWith('.json') && !file.includes('.example.'))
      .sort()
      .map((file) => {
        const name = file.slice(0, -'.json'.length);
        return [name, { name, ...(JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Omit<Preset, 'name'>) }];
      }),
  );
  return read;
}

export function exampleOf(preset: Preset): Buffer {
  return readFileSync(new URL(preset.example.file, FOLDER));
}

/** What an import says itself wins; of a mapping each column, and each other part as a whole. Null: nothing says its type or format. */
export function withPreset(input: Import): ResolvedImport | null {
  const preset = input.preset === undefined ? undefined : importPresets().get(input.preset);
  const { type = preset?.type, format = preset?.format } = input;
  if (type === undefined || format === undefined) return null;
  const { encoding, delimiter, mapping } = preset ?? {};
  const both =
    mapping === undefined || input.mapping === undefined ? (input.mapping ?? mapping) : mergeMappings(mapping, input.mapping);
  return {
    ...(encoding === undefined ? {} : { encoding }),
    ...(delimiter === undefined ? {} : { delimiter }),
    ...input,
    type,
    format,
    ...(both === undefined ? {} : { mapping: both }),
  };
}

function mergeMappings(preset: Mapping, own: Mapping): Mapping {
  return { ...preset, ...own, columns: { ...preset.columns, ...own.columns } };
}
