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

/** Circles that are known, by the file that has the least name of each. */
const KNOWN_CIRCLES: readonly string[] = ['bidder/core/index.ts'];

/** Which files each file imports of ours. */
function graphOf(files: readonly string[], textIn: (file: string) => string): ReadonlyMap<string, readonly string[]> {
  const known = new Set(files);
  const targetsOf = (file: string): string[] =>
    importsOf(textIn(file))
      .filter((specifier) => specifier.startsWith('.'))
      .map((specifier) => relative(ROOT, resolve(ROOT, dirname(file), specifier)))
      .filter((target) => known.has(target));
  return new Map(files.map((file) => [file, targetsOf(file)]));
}

/** Sets of files that reach each other: Tarjan's strongly connected components (1972) of more than one file. */
function circlesOf(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const numbers = new Map<string, number>();
  const open: string[] = [];
  const visit = (file: string): number => {
    const number = numbers.size;
    numbers.set(file, number);
    open.push(file);
    let least = number;
    for (const target of graph.get(file) ?? []) {
      if (!numbers.has(target)) least = Math.min(least, visit(target));
      else if (open.includes(target)) least = Math.min(least, numbers.get(target) as number);
    }
    if (least === number) {
      const part = open.splice(open.indexOf(file));
      if (part.length > 1) found.push(part.sort());
    }
    return least;
  };
  for (const file of graph.keys()) if (!numbers.has(file)) visit(file);
  return found.sort();
}

test('no files import each other in a circle, types included', () => {
  const circles = circlesOf(graphOf(sources, textOf));
  expect(circles.filter(([first = '']) => !KNOWN_CIRCLES.includes(first))).toEqual([]);
});

test('a circle is found, also one of types, and a file that is only imported is not in it', () => {
  const texts: Readonly<Record<string, string>> = {
    'dmp/a.ts': "import type { B } from './b.ts';\nimport { d } from './d.ts';",
    'dmp/b.ts': "export type { C } from './c.ts';",
    'dmp/c.ts': "const { a } = await import('./a.ts');",
    'dmp/d.ts': '',
  };
  const circles = circlesOf(graphOf(Object.keys(texts), (file) => texts[file] as string));
  expect(circles).toEqual([['dmp/a.ts', 'dmp/b.ts', 'dmp/c.ts']]);
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
