import { Type } from 'typebox';
import { checkBounds, checkSources, isDay, NO_DAY } from '../check-members.ts';
import { among, between, both, DAY_MS } from '../conditions.ts';
import { type BodyOf, bounds, names } from '../members.ts';
import type { NodeKind } from '../node.ts';
import { rowsThatCount } from '../rows.ts';
import { thereIs, unitOf } from '../unit.ts';
import { anyOf, asGiven, bounded, boundedBy, DAYS, spaced } from '../words.ts';

const Day = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' });

const FIELDS = {
  name: Type.String({ minLength: 1, maxLength: 128, description: 'its name' }),
  in: Type.Array(Type.Union([Type.String({ maxLength: 512 }), Type.Number(), Type.Boolean()]), {
    minItems: 1,
    maxItems: 10_000,
    description: 'one of these',
  }),
  min: Type.Number({ description: 'a number, at least this' }),
  max: Type.Number({ description: 'a number, at most this' }),
  since: Type.Unsafe<string>({ ...Day, description: 'a date (YYYY-MM-DD, a time after it is ignored), on this day or later' }),
  before: Type.Unsafe<string>({ ...Day, description: 'a date before this day' }),
  daysAgo: bounds('a date so many days before today (UTC); negative: after'),
  sources: names('sources that said it'),
};
export type Attribute = BodyOf<typeof FIELDS> & { readonly name: string };

export const attribute: NodeKind<Attribute> = {
  says: 'The newest value of a name, of each source that said one; where sources differ any of them may fit. Without a condition: whatever it is.',
  fields: FIELDS,
  required: ['name'],
  examples: [
    { name: 'city', in: ['Moscow', 'Kazan'] },
    { name: 'age', min: 25, max: 34 },
    { name: 'registered', since: '2026-01-01', before: '2026-07-01', sources: ['till'] },
    { name: 'birthday', daysAgo: { min: 6_570 } },
    { name: 'email_subscriber' },
  ],
  check: ({ min, max, since, before, daysAgo, sources }, pointer, check) => {
    if (min !== undefined && max !== undefined) checkBounds({ min, max }, pointer, check);
    for (const [name, day] of Object.entries({ since, before }))
      if (day !== undefined && !isDay(day)) check.fault(`${pointer}/${name}`, 'format', `${day} ${NO_DAY}`);
    if (since !== undefined && before !== undefined && since >= before)
      check.fault(pointer, 'range_reversed', `no day is since ${since} and before ${before}`);
    checkBounds(daysAgo, `${pointer}/daysAgo`, check);
    checkSources(sources, `${pointer}/sources`, check);
  },
  plan: ({ name, in: listed, min, max, since, before, daysAgo, sources }, compiler) => {
    const { bound, scope } = compiler;
    const rows = both(
      "kind = 'attribute'",
      `name = ${bound.add('String', name)}`,
      among('source', sources, bound),
      rowsThatCount(compiler),
    );
    const dated = "match(v.1, '^[0-9]{4}-[0-9]{2}-[0-9]{2}')";
    const fits = both(
      listed === undefined ? '' : `v.1 IN ${bound.texts(listed.map(String))}`,
      min === undefined ? '' : `v.2 >= ${bound.add('Float64', min)}`,
      max === undefined ? '' : `v.2 <= ${bound.add('Float64', max)}`,
      since === undefined ? '' : `${dated} AND substring(v.1, 1, 10) >= ${bound.add('String', since)}`,
      before === undefined ? '' : `${dated} AND substring(v.1, 1, 10) < ${bound.add('String', before)}`,
      daysAgo === undefined
        ? ''
        : `${dated} AND ifNull(${between(`(${bound.add('Int32', Math.floor(scope.now / DAY_MS))} - toInt32(toDate32OrNull(substring(v.1, 1, 10))))`, daysAgo, bound)}, 0)`,
    );
    const said = `groupArrayIf((source, at, identifier, item, number), ${rows})`;
    const current = `arrayMap(v -> (v.4, v.5), arrayFilter(v -> NOT arrayExists(w -> w.1 = v.1 AND (w.2, w.3) > (v.2, v.3), ${said}), ${said}))`;
    const isListed = listed !== undefined && [min, max, since, before, daysAgo].every((given) => given === undefined);
    const [unit, there] = [unitOf(compiler), thereIs(compiler)];
    return {
      rows,
      ...(isListed && {
        lookup: {
          form: `attribute ${JSON.stringify([name, sources ?? null])}`,
          values: listed.map(String),
          units: (from: string, range: string) =>
            `SELECT arrayJoin(arrayMap(v -> v.1, now)) AS value, unit
              FROM (SELECT shard AS s, ${unit} AS unit, ${current} AS now FROM ${from} WHERE ${both(rows, range, there)} GROUP BY s, unit)`,
        },
      }),
      // What each source said last, the same for all leaves of a name: a newer value of a source takes the place of the one before.
      measures: [current],
      holds: ([values]) => (fits === '' ? `notEmpty(${values})` : `arrayExists(v -> ${fits}, ${values})`),
      edges: daysAgo === undefined ? [] : 'midnight',
    };
  },
  sentence: ({ name, in: listed, min, max, since, before, daysAgo, sources }, language) => {
    const en = language === 'en';
    const range = { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
    const conditions = [
      listed === undefined ? '' : anyOf(listed, language),
      boundedBy(range, '', language),
      since === undefined ? '' : `${en ? 'since' : 'не раньше'} ${since}`,
      before === undefined ? '' : `${en ? 'before' : 'раньше'} ${before}`,
      daysAgo === undefined ? '' : `${bounded(daysAgo, DAYS, language)} ${en ? 'ago' : 'назад'}`,
    ].filter((condition) => condition !== '');
    return spaced(
      `${en ? 'have the attribute' : 'имеют признак'} ${asGiven(name)}${conditions.length === 0 ? '' : ':'}`,
      conditions.join(en ? ' and ' : ' и '),
      sources === undefined ? '' : `(${en ? 'says' : 'по данным'} ${anyOf(sources, language)})`,
    );
  },
};
