import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** The arrows of the design: what each folder may import besides itself. Files at the top count as `start`. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  proto: [],
  bidder: ['proto'],
  dmp: ['proto'],
  segmenter: ['dmp', 'proto'],
  'load-tests': ['proto'],
  supervisor: ['proto'],
  start: ['supervisor', 'proto'],
  '.ci': [],
  test: ['proto', 'bidder', 'dmp', 'segmenter', 'load-tests', 'supervisor', 'start'],
};

const SKIPPED = new Set(['node_modules', 'dist', 'data', '.git', 'docs']);
const EMPTY_NAMES = /(^|[-_.])(manager|service|helper|util|utils|helpers|misc)s?([-_.]|$)/i;
/** Where a process reads its environment: its entry file. Tests give environments to the processes that they start. */
const READS_ENVIRONMENT =
  /^(start\.ts|setup\.mjs|vitest\.config\.ts|test\/.*|supervisor\/(doctor|pepper|reset)\.ts|(.*\/)?(main|embedded)\.ts)$/;

const sources = filesUnder(ROOT).filter((file) => /\.(ts|mjs)$/.test(file));

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesUnder(join(folder, entry.name));
    return [relative(ROOT, join(folder, entry.name))];
  });
}

const textOf = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

/** Specifiers of static and dynamic imports, re-exports, JSDoc imports and `new URL('./x', import.meta.url)` modules. */
function importsOf(text: string): string[] {
  const forms = [
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\s*\(\s*['"`]([^'"`]+)['"`]/g,
    /\brequire\s*\(\s*['"`]([^'"`]+)['"`]/g,
  ];
  return forms.flatMap((form) => [...text.matchAll(form)].map((match) => match[1] ?? ''));
}

function folderOf(file: string): string {
  const [first = '', ...rest] = file.split('/');
  return rest.length === 0 ? 'start' : first;
}

/** Faults as `file → imported file`. */
function againstTheArrows(file: string, text: string): string[] {
  const from = folderOf(file);
  const allowed = MAY_IMPORT[from] ?? [];
  return importsOf(text)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => relative(ROOT, resolve(ROOT, dirname(file), specifier)))
    .filter((target) => folderOf(target) !== from && !allowed.includes(folderOf(target)))
    .map((target) => `${file} → ${target}`);
}

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

test('every import follows the arrows of the design', () => {
  expect(sources.length).toBeGreaterThan(40);
  expect(sources.flatMap((file) => againstTheArrows(file, textOf(file)))).toEqual([]);
});

test('an import against the arrows is found in each of its forms', () => {
  const text = [
    "import { a } from '../dmp/deps.ts';",
    "export * from '../segmenter/run.ts';",
    "import type {\n  B,\n} from '../bidder/app.ts';",
    "import '../load-tests/city/main.ts';",
    "const c = await import('../supervisor/lock.ts');",
    "import { d } from './money.ts';",
  ].join('\n');
  expect(againstTheArrows('proto/bad.ts', text).sort()).toEqual([
    'proto/bad.ts → bidder/app.ts',
    'proto/bad.ts → dmp/deps.ts',
    'proto/bad.ts → load-tests/city/main.ts',
    'proto/bad.ts → segmenter/run.ts',
    'proto/bad.ts → supervisor/lock.ts',
  ]);
});

test('the design knows every folder with code in it', () => {
  expect([...new Set(sources.map(folderOf))].filter((folder) => MAY_IMPORT[folder] === undefined)).toEqual([]);
});

test('neither the bidder nor the agreements know ClickHouse', () => {
  const faults = sources
    .filter((file) => ['bidder', 'proto'].includes(folderOf(file)))
    .filter((file) => importsOf(textOf(file)).some((specifier) => ['chdb', '@clickhouse/client'].includes(packageOf(specifier))));
  expect(faults).toEqual([]);
});

test('the agreements do no input and output', () => {
  const faults = sources
    .filter((file) => folderOf(file) === 'proto')
    .flatMap((file) => importsOf(textOf(file)).map((specifier) => `${file}: ${specifier}`))
    .filter((fault) => /: (node:(?!crypto|buffer)|ioredis|fastify|bullmq|pino)/.test(fault));
  expect(faults).toEqual([]);
});

test('the environment is read in entry files only', () => {
  const faults = sources.filter((file) => !READS_ENVIRONMENT.test(file) && /\bprocess\.env\b/.test(textOf(file)));
  expect(faults).toEqual([]);
});

test('no file has an empty name', () => {
  expect(sources.filter((file) => EMPTY_NAMES.test(basename(file).replace(/\.(test\.)?\w+$/, '')))).toEqual([]);
});
