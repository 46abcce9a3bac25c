import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { expect } from 'vitest';
import type { Api } from '../../load-tests/replay/api.ts';
import { SOURCE } from '../../load-tests/replay/imports.ts';
import { refresh } from '../../load-tests/replay/segments.ts';
import { expectedRules } from './expected-rules.ts';
import { TEN_RULES } from './ten-rules.ts';

/** Holds the ten rules over what was imported of a folder against a count straight from its files: the same people. */
export async function expectAgreement(api: Api, root: string): Promise<void> {
  const expected = await expectedRules(root);
  const at = '2017-12-31T00:00:00Z';
  const said = (household: string, attributes: object) => ({
    ...{ type: 'identify', at, identifiers: [{ kind: 'loyalty', value: household }] },
    attributes,
  });
  const people = parse(readFileSync(join(root, 'completejourney/demographics.csv')), { columns: true, bom: true }) as {
    household_id: string;
    age: string;
  }[];
  const lines = [
    ...people.map(({ household_id, age }) => said(household_id, { age })),
    // Whom the count selects is told too, so that not only the sizes but the people are compared.
    ...Object.entries(expected).flatMap(([name, households]) =>
      households.map((household) => said(household, { [`expected_${name}`]: 'yes' })),
    ),
  ];
  expect(await api.postLines(`/v1/events?source=${SOURCE}`, lines)).toMatchObject({ quarantined: 0 });
  const differences = Object.entries(TEN_RULES).map(([name, rule]) => ({
    name: `${name}_differs`,
    rule: { any: [without(rule, marked(name)), without(marked(name), rule)] },
  }));
  for (const [name, rule] of Object.entries(TEN_RULES)) await api.put(`/v1/segments/${name}`, { name, rule });
  for (const { name, rule } of differences) await api.put(`/v1/segments/${name}`, { name, rule });
  await refresh(api);
  const sizeOf = async (id: string): Promise<number> => (await api.get<{ size: number }>(`/v1/segments/${id}`)).size;
  for (const [name, households] of Object.entries(expected)) {
    expect(households.length, name).toBeGreaterThan(0);
    expect(await sizeOf(name), name).toBe(households.length);
    expect(await sizeOf(`${name}_differs`), name).toBe(0);
  }
}

const marked = (name: string) => ({ attribute: { name: `expected_${name}`, in: ['yes'] } });
const without = (rule: object, other: object) => ({ all: [rule, { not: other }] });
