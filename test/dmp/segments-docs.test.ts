import { readFile } from 'node:fs/promises';
import type { TSchema } from 'typebox';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { checkRule } from '../../dmp/segments/check.ts';
import { compileRule } from '../../dmp/segments/compile.ts';
import { EVENT_NAMES, eventWords, filtersOf } from '../../dmp/segments/events.ts';
import { LANGUAGES } from '../../dmp/segments/node.ts';
import { type LeafName, NODES } from '../../dmp/segments/nodes/plan-of.ts';
import { MAX_DEPTH, MAX_NODES, type Rule } from '../../dmp/segments/rule.ts';
import { sentenceOf } from '../../dmp/segments/sentence.ts';
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
const EXAMPLES = KINDS.flatMap((name) => NODES[name].examples.map((body) => ({ [name]: body }) as unknown as Rule));

// Where this fails the document is older than the code.
test('docs/segments.md has every node with its members and examples', async () => {
  const written = await readFile(new URL(FILE, import.meta.url), 'utf8');
  const [before] = written.split(MARK);
  const limits = `A rule holds at most ${MAX_NODES} nodes, ${MAX_DEPTH} deep, a list 10,000 values.`;
  const contents = KINDS.map((name) => `[\`${name}\`](#${name.toLowerCase()})`).join(', ');
  const parts = [
    `${before}${MARK}`,
    `## Nodes`,
    `${limits} Leaves: ${contents}.`,
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
  const shown = examples.map((body) => {
    const rule = { [name]: body } as unknown as Rule;
    return `\`\`\`json\n${JSON.stringify(rule)}\n\`\`\`\n${LANGUAGES.map((language) => `> ${sentenceOf(rule, language)}`).join('  \n')}`;
  });
  return [`### ${name}`, says, table, ...shown].join('\n\n');
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
