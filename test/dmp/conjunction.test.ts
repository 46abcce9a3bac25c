import fc from 'fast-check';
import { expect, test } from 'vitest';
import { segmentRuleFaults } from '../../dmp/campaigns/check-segment-rule.ts';
import { conjunctionOf, MOST_CLAUSES } from '../../dmp/campaigns/conjunction.ts';
import { type SegmentRule, segmentsOf } from '../../dmp/campaigns/segment-rule.ts';

/** By segment, hours since the person entered it. */
type Memberships = ReadonlyMap<string, number>;

function holds(rule: SegmentRule, person: Memberships): boolean {
  if ('segment' in rule) return (person.get(rule.segment) ?? Number.POSITIVE_INFINITY) <= (rule.withinHours ?? Number.MAX_VALUE);
  if ('not' in rule) return !holds(rule.not, person);
  return 'all' in rule ? rule.all.every((part) => holds(part, person)) : rule.any.some((part) => holds(part, person));
}

const segment: fc.Arbitrary<string> = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const leaf = fc.record({ segment, withinHours: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }) }).map((node) => {
  const { withinHours, ...bare } = node;
  return withinHours === undefined ? bare : { ...bare, withinHours };
});
const { rule } = fc.letrec<{ rule: SegmentRule }>((tie) => ({
  rule: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    tie('rule').map((not) => ({ not })),
    fc.array(tie('rule'), { minLength: 1, maxLength: 4 }).map((all) => ({ all })),
    fc.array(tie('rule'), { minLength: 1, maxLength: 4 }).map((any) => ({ any })),
  ),
}));
const person = fc.array(fc.tuple(segment, fc.integer({ min: 0, max: 6 }))).map((pairs) => new Map(pairs));

test('the conjunction of a rule holds for a person where the rule does', () => {
  let compared = 0;
  const property = fc.property(rule, fc.array(person, { minLength: 10, maxLength: 10 }), (tree, people) => {
    const conjunction = conjunctionOf(tree);
    if (!('clauses' in conjunction)) return;
    compared++;
    const named = segmentsOf(tree, '');
    for (const { segment, not } of conjunction.clauses.flat())
      expect(named.some(({ id, wanted }) => id === segment && wanted !== not)).toBe(true);
    for (const one of people) {
      const passes = conjunction.clauses.every((clause) =>
        clause.some(({ segment, not, withinHours }) => {
          const since = one.get(segment);
          return (since !== undefined && since <= (withinHours ?? Number.POSITIVE_INFINITY)) !== not;
        }),
      );
      expect(passes).toBe(holds(tree, one));
    }
  });
  fc.assert(property, { numRuns: 3_000 });
  expect(compared).toBeGreaterThan(2_500);
});

test('what everybody passes has no clauses, and what follows from another clause is left out', () => {
  const a = { segment: 'a' };
  expect(conjunctionOf({ any: [a, { not: a }] })).toEqual({ clauses: [] });
  expect(conjunctionOf({ any: [a, { not: { segment: 'a', withinHours: 3 } }] })).toEqual({ clauses: [] });
  expect(conjunctionOf({ all: [a, { any: [a, { segment: 'b' }] }] })).toEqual({
    clauses: [[{ segment: 'a', not: false, withinHours: null }]],
  });
  expect(
    conjunctionOf({
      any: [
        { segment: 'a', withinHours: 3 },
        { segment: 'a', withinHours: 24 },
      ],
    }),
  ).toEqual({
    clauses: [[{ segment: 'a', not: false, withinHours: 24 }]],
  });
});

test('a rule whose conjunction grows too large is refused where it grows, at once', () => {
  const pairs = Array.from({ length: 40 }, (_, at) => ({ all: [{ segment: `x${at}` }, { segment: `y${at}` }] }));
  const since = performance.now();
  expect(segmentRuleFaults({ all: [{ segment: 'a' }, { any: pairs }] }, '/targeting/segmentRule')).toMatchObject([
    { pointer: '/targeting/segmentRule/all/1', code: 'rule_too_large' },
  ]);
  expect(performance.now() - since).toBeLessThan(1_000);
  const seven = pairs.slice(0, Math.log2(MOST_CLAUSES) + 1);
  expect(segmentRuleFaults({ any: seven }, '/r')).toMatchObject([{ pointer: '/r', code: 'rule_too_large' }]);
  expect(segmentRuleFaults({ any: seven.slice(1) }, '/r')).toEqual([]);
});

test.each<[string, unknown, string[]]>([
  ['nothing', {}, ['/r too_few_properties']],
  ['two at once', { all: [{ segment: 'a' }], any: [{ segment: 'b' }] }, ['/r too_many_properties']],
  [
    'an empty group and an unknown part',
    { all: [{ any: [] }, { visits: {} }] },
    ['/r/all/0/any empty_group', '/r/all/1/visits unknown_variant'],
  ],
  [
    'hours that are none',
    {
      any: [
        { segment: 'a', withinHours: 0 },
        { segment: 'b', withinHours: 1.5 },
      ],
    },
    ['/r/any/0/withinHours minimum', '/r/any/1/withinHours type'],
  ],
  ['hours of a group', { not: { any: [{ segment: 'a' }], withinHours: 3 } }, ['/r/not/withinHours unknown_property']],
  ['a segment that is no id', { segment: 'a b' }, ['/r/segment pattern']],
  ['a text', 'a', ['/r type']],
])('a rule with %s is refused', (_, given, expected) => {
  expect(segmentRuleFaults(given, '/r').map(({ pointer, code }) => `${pointer} ${code}`)).toEqual(expected);
});

test('a rule of any depth ends', () => {
  let deep: object = { segment: 'a' };
  for (let depth = 0; depth < 1_000; depth++) deep = { not: deep };
  expect(segmentRuleFaults(deep, '/r').map(({ code }) => code)).toEqual(['rule_too_deep']);
});
