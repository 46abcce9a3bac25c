import { readFile } from 'node:fs/promises';
import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { checkRule } from '../../dmp/segments/check.ts';
import { compileRule } from '../../dmp/segments/compile.ts';
import { EVENT_NAMES, eventWords, filtersOf } from '../../dmp/segments/events.ts';
import { LANGUAGES } from '../../dmp/segments/node.ts';
import { type LeafName, NODES } from '../../dmp/segments/nodes/plan-of.ts';
import { GROUPS, MAX_DEPTH, MAX_NODES, type Rule } from '../../dmp/segments/rule.ts';
import { SegmentInput } from '../../dmp/segments/segment.ts';
import { segmentSentence, sentenceOf } from '../../dmp/segments/sentence.ts';
import { startWarehouse } from '../support/warehouse.ts';
import { membersOf } from './segments-oracle.ts';
import { thingsOfRules } from './segments-things.ts';
import { fillWarehouse, randomWorld, scopeIn, seeded } from './segments-world.ts';

const FILE = '../../docs/segments.md';
const MARK = '<!-- From here on written by test/dmp/segments-docs.test.ts: run it with --update. -->';

let warehouse: Warehouse;
let stop: () => Promise<void>;
beforeAll(async () => {
  ({ warehouse, stop } = await startWarehouse());
});
afterAll(() => stop());

const KINDS = Object.keys(NODES) as LeafName[];
const GROUP_NAMES = Object.keys(GROUPS) as (keyof typeof GROUPS)[];
const EXAMPLES = [
  ...GROUP_NAMES.flatMap((name) => GROUPS[name].examples),
  ...KINDS.flatMap((name) => NODES[name].examples.map((body) => ({ [name]: body }) as unknown as Rule)),
];

// Where this fails the document is older than the code.
test('docs/segments.md has every node with its members and examples', async () => {
  const written = await readFile(new URL(FILE, import.meta.url), 'utf8');
  const [before] = written.split(MARK);
  const limits = `A rule holds at most ${MAX_NODES} nodes, ${MAX_DEPTH} deep, a list 10,000 values.`;
  const linked = (names: readonly string[]): string => names.map((name) => `[\`${name}\`](#${name.toLowerCase()})`).join(', ');
  const parts = [
    `${before}${MARK}`,
    `## Nodes`,
    `${limits} Groups: ${linked(GROUP_NAMES)}. Leaves: ${linked(KINDS)}.`,
    ...GROUP_NAMES.map((name) => [`### ${name}`, GROUPS[name].says, ...GROUPS[name].examples.map(shown)].join('\n\n')),
    ...KINDS.map(section),
    '## Events',
    ...events(),
  ];
  await expect(`${parts.join('\n\n')}\n`).toMatchFileSnapshot(FILE);
});

test('every example passes the check and selects whom the slow evaluator selects', { timeout: 120_000 }, async () => {
  const things = await thingsOfRules();
  for (let seed = 1; seed <= 3; seed++) {
    const world = randomWorld(seeded(seed));
    await fillWarehouse(warehouse, world);
    for (const rule of EXAMPLES) {
      expect(checkRule(rule, { things, advertiser: null, self: null }), JSON.stringify(rule)).toEqual([]);
      const rows = await warehouse.query<{ profile: number }>(compileRule(rule, scopeIn(world)));
      const found = rows.map(({ profile }) => profile).sort((a, b) => a - b);
      expect(found, JSON.stringify(rule)).toEqual(membersOf(rule, world));
    }
  }
});

test('the segments before the nodes are such as the API takes, and read as it is said there', async () => {
  const [before = ''] = (await readFile(new URL(FILE, import.meta.url), 'utf8')).split(MARK);
  const shown = before.split('```json').slice(1);
  expect(shown.length).toBeGreaterThan(1);
  for (const text of shown) {
    const [json = '', after = ''] = text.split('```');
    const [, said] = after.match(/\n> (.*)\n/) ?? [];
    const segment = Value.Default(SegmentInput, JSON.parse(json)) as SegmentInput;
    expect([...Value.Errors(SegmentInput, segment)], json).toEqual([]);
    const faults = checkRule(segment.rule, { things: await thingsOfRules(), advertiser: null, self: null });
    expect(
      faults.filter(({ code }) => !code.startsWith('unknown_')),
      json,
    ).toEqual([]);
    if (said !== undefined) expect(segmentSentence(segment, 'en')).toBe(said);
  }
});

test('numbers, days and times take the forms that the language has for them', () => {
  const said = (rule: Rule): string[] => LANGUAGES.map((language) => sentenceOf(rule, language).replace(/^\S+ \S+ /, ''));
  const times = (count: object): string[] => said({ purchases: { count } });
  expect(times({ min: 1 })).toEqual(['bought at least once', 'покупали не менее 1 раза']);
  expect(times({ min: 2, max: 2 })).toEqual(['bought exactly twice', 'покупали ровно 2 раза']);
  expect(times({ min: 5 })).toEqual(['bought at least 5 times', 'покупали не менее 5 раз']);
  expect(times({ max: 21 })).toEqual(['bought at most 21 times', 'покупали не более 21 раза']);
  const days = (bounds: object): string => said({ visits: { days: bounds } })[1] as string;
  expect(days({ min: 1 })).toBe('были в магазине, не менее чем в 1 день');
  expect(days({ min: 2, max: 5 })).toBe('были в магазине, не менее чем в 2 и не более чем в 5 разных дней');
  expect(days({ max: 21 })).toBe('были в магазине, не более чем в 21 день');
  const brands = (min: number): string => said({ purchases: { distinctBrands: { min } } })[1] as string;
  expect(brands(1)).toBe('покупали, не менее 1 разной марки');
  expect(brands(22)).toBe('покупали, не менее 22 разных марок');
  const trend = { of: { bought: {} }, ratio: { max: 0.5 } };
  expect(said({ trend: { ...trend, days: 1 } })[1]).toMatch(/за последний день — .* за 1 день до этого$/);
  const less = said({ trend: { of: { bought: {} }, days: 30, difference: { max: -10_000_000 } } });
  expect(less[0]).toMatch(/the last 30 days at least 10 less than in the 30 days before$/);
  expect(less[1]).toMatch(/за последние 30 дней — меньше суммы за 30 дней до этого на величину не менее 10$/);
  const overdue = said({ rhythm: { due: { min: -21, max: -2 } } });
  expect(overdue[0]).toMatch(/the next was due at least 2 and at most 21 days ago$/);
  expect(overdue[1]).toMatch(/следующий раз ожидался не менее 2 и не более 21 дня назад$/);
  expect(said({ trend: { ...trend, days: 2, ago: 21 } })[1]).toMatch(/за 2 дня, которые кончились 21 день назад$/);
});

test('it is plain what "not" and "or" are about', () => {
  const [a, b] = [{ visits: {} }, { purchases: {} }] as const;
  expect(sentenceOf({ all: [{ not: a }, b] })).toBe('People who are not among those who (were at a store) and bought');
  expect(sentenceOf({ all: [b, { not: a }] })).toBe('People who bought and are not among those who were at a store');
  expect(sentenceOf({ all: [b, { any: [a, { not: { any: [a, b] } }] }] }, 'ru')).toBe(
    'Люди, которые покупали и (были в магазине или не относятся к тем, которые (были в магазине или покупали))',
  );
});

test('every example reads as a sentence in each language', () => {
  for (const language of LANGUAGES)
    for (const rule of EXAMPLES) {
      const said = sentenceOf(rule, language);
      expect(said, JSON.stringify(rule)).toMatch(language === 'en' ? /^People who [a-z]/ : /^Люди, которые [а-яё]/);
      expect(said).not.toMatch(/undefined|NaN|\[object| {2}|[ ,]$/);
    }
});

function section(name: LeafName): string {
  const { says, fields, whole, required = [], examples } = NODES[name];
  const members = Object.entries(fields).map(([member, schema]) => {
    const must = (required as readonly string[]).includes(member) ? ', must be given' : '';
    return `| \`${member}\` | ${shapeOf(schema)}${must} | ${cell(attributesOf(schema)['description'] ?? '')} |`;
  });
  const table =
    whole === undefined
      ? ['| member | shape | meaning |', '|---|---|---|', ...members].join('\n')
      : `${shapeOf(whole)}: ${attributesOf(whole)['description']}`;
  return [`### ${name}`, says, table, ...examples.map((body) => shown({ [name]: body } as unknown as Rule))].join('\n\n');
}

/** A rule, and how it reads. */
function shown(rule: Rule): string {
  return `\`\`\`json\n${JSON.stringify(rule)}\n\`\`\`\n${LANGUAGES.map((language) => `> ${sentenceOf(rule, language)}`).join('  \n')}`;
}

function events(): string[] {
  const rows = EVENT_NAMES.map((name) => {
    const filters = Object.keys(attributesOf(filtersOf(name))['properties'] as object).map((member) => `\`${member}\``);
    return `| \`${name}\` | ${eventWords({ [name]: {} }, 'en')} | ${filters.join(', ')} |`;
  });
  const what =
    'What some nodes compare or put in order, as `{"bought": {…}}` with its filters, which are those of the node of its kind.';
  return [what, ['| event | who | filters |', '|---|---|---|', ...rows].join('\n')];
}

/** A schema in a few words. */
function shapeOf(schema: TSchema): string {
  const given = attributesOf(schema);
  const some = given['enum'] ?? undefined;
  if (Array.isArray(some)) return some.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  if (Array.isArray(given['anyOf'])) return (given['anyOf'] as TSchema[]).map(shapeOf).join(' or ');
  if (given['type'] === 'array') return `list of ${shapeOf(given['items'] as TSchema)}`;
  if (given['type'] === 'string') return given['pattern'] === undefined ? 'text' : `text \`${cell(String(given['pattern']))}\``;
  if (given['type'] !== 'object') return String(given['type']);
  const members = Object.keys((given['properties'] ?? {}) as object);
  const isEvent = EVENT_NAMES.every((name) => members.includes(name));
  const named = members
    .filter((member) => !isEvent || !(EVENT_NAMES as string[]).includes(member))
    .map((member) => `\`${member}\``);
  return [
    ...(isEvent ? ['an [event](#events)'] : []),
    ...(named.length === 0 ? [] : [`${isEvent ? 'with ' : ''}{${named.join(', ')}}`]),
  ].join(' ');
}

const attributesOf = (schema: TSchema): Readonly<Record<string, unknown>> => schema as never;

const cell = (text: unknown): string => String(text).replaceAll('|', '\\|');
