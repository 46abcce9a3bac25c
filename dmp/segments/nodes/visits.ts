import { Type } from 'typebox';
import { checkBounds, checkHours, checkOwned, checkPlaces, checkSources, checkWindow } from '../check-members.ts';
import { among, atHours, between, both, edgesOf, fencesOf, onDays, storesOf, within } from '../conditions.ts';
import type { EventKind } from '../event.ts';
import { age, different, edgesOfAges, measured, planOfMeasures } from '../measures.ts';
import { ages, type BodyOf, counts, HourSpan, Near, names, Rivals, Weekdays, Window } from '../members.ts';
import type { NodeKind } from '../node.ts';
import type { Compiler } from '../plan.ts';
import { placesThatCount } from '../rows.ts';
import {
  ageWords,
  anyOf,
  bounded,
  boundedBy,
  boundedIn,
  clause,
  daysWords,
  type Forms,
  hourWords,
  numeral,
  placeWords,
  spaced,
  TIMES,
  weekdayWords,
  windowWords,
} from '../words.ts';

const FILTERS = {
  stores: names('stores'),
  storeGroups: names('groups of stores'),
  near: Near,
  geofences: names('geofences: a visit of one of these or of one of the stores'),
  rivals: Rivals,
  minDwellSeconds: Type.Number({ minimum: 0, description: 'visits of at least so many seconds only' }),
  weekdays: Weekdays,
  hours: HourSpan,
  sources: names('sources that had a part in it'),
};
type Filters = BodyOf<typeof FILTERS>;

const FIELDS = {
  count: counts('different places and days'),
  days: counts('different days, local to the place'),
  dwell: counts('seconds in all; of a place and day the longest visit'),
  distinctPlaces: counts('different stores and geofences'),
  first: ages('days since the first'),
  last: ages('days since the last'),
  window: Window,
  ...FILTERS,
};
export type Visits = BodyOf<typeof FIELDS>;

export const visited: EventKind<Filters> = {
  fields: FILTERS,
  rows: (filters, compiler) => {
    const { bound } = compiler;
    return both(
      "kind = 'visit'",
      placesOf(filters, compiler),
      filters.minDwellSeconds === undefined ? '' : `dwell >= ${bound.add('Float64', filters.minDwellSeconds)}`,
      onDays(filters.weekdays, bound),
      atHours(filters.hours, bound),
      filters.sources === undefined
        ? ''
        : `(source IN ${bound.texts(filters.sources)} OR hasAny(sources, ${bound.texts(filters.sources)}))`,
      placesThatCount(compiler),
    );
  },
  check: (filters, pointer, check) => {
    checkPlaces(filters, pointer, check);
    checkOwned('geofence', filters.geofences, `${pointer}/geofences`, check);
    checkHours(filters.hours, `${pointer}/hours`, check);
    checkSources(filters.sources, `${pointer}/sources`, check);
  },
  words: (filters, language) => {
    const en = language === 'en';
    const { geofences, minDwellSeconds, sources } = filters;
    const stores = placeWords(filters, language);
    const fences = geofences === undefined ? '' : `${en ? 'in geofence' : 'в зоне'} ${anyOf(geofences, language)}`;
    const rivals = filters.rivals !== true ? '' : en ? 'at a rival’s' : 'у конкурента';
    const places = [stores, fences, rivals].filter((place) => place !== '').join(en ? ' or ' : ' или ');
    return spaced(
      en ? 'were' : 'были',
      places === '' ? (en ? 'at a store' : 'в магазине') : places,
      minDwellSeconds === undefined
        ? ''
        : `${en ? 'for at least' : 'не менее'} ${numeral(minDwellSeconds / 60, language)} ${en ? 'minutes' : 'мин'}`,
      weekdayWords(filters.weekdays, language),
      hourWords(filters.hours, language),
      sources === undefined ? '' : `(${en ? 'says' : 'по данным'} ${anyOf(sources, language)})`,
    );
  },
};

/** Without stores, groups, distance, geofences or rivals: any store. */
function placesOf(filters: Filters, compiler: Compiler): string {
  const { bound, scope } = compiler;
  const stores = storesOf(filters, compiler);
  const fences = fencesOf(filters, compiler);
  if (stores === null && fences === null)
    return both("name = 'store'", scope.stores === null ? '' : among('place', scope.stores, bound));
  const parts = [
    ...(stores === null ? [] : [`name = 'store' AND ${among('place', stores, bound)}`]),
    ...(fences === null ? [] : [`name = 'geofence' AND ${among('place', fences, bound)}`]),
  ];
  return `(${parts.map((part) => `(${part})`).join(' OR ')})`;
}

export const visits: NodeKind<Visits> = {
  says: 'Visits of the person to places, once a place and day. Without stores, groups, distance, geofences or rivals: to any store.',
  fields: FIELDS,
  examples: [
    { count: { min: 2 }, stores: ['st_1'], window: { days: 30 } },
    { count: { min: 1 }, rivals: true, window: { days: 30 } },
    {
      days: { min: 3 },
      geofences: ['gf_1'],
      minDwellSeconds: 600,
      weekdays: ['mon', 'tue', 'wed', 'thu', 'fri'],
      hours: { from: 18, to: 2 },
    },
    { dwell: { min: 3_600 }, storeGroups: ['sg_1'], last: { max: 7 } },
  ],
  check: (body, pointer, check) => {
    visited.check(body, pointer, check);
    checkWindow(body.window, `${pointer}/window`, check);
    for (const name of ['count', 'days', 'dwell', 'distinctPlaces', 'first', 'last'] as const)
      checkBounds(body[name], `${pointer}/${name}`, check);
  },
  plan: (body, compiler) => {
    const { bound } = compiler;
    const rows = both(visited.rows(body, compiler), within(body.window, compiler));
    const { dwell } = body;
    const given = [
      ...(body.count === undefined ? [] : [different('once', rows, body.count, bound)]),
      ...(body.days === undefined ? [] : [different('day', rows, body.days, bound)]),
      ...(body.distinctPlaces === undefined ? [] : [different('(name, place)', rows, body.distinctPlaces, bound)]),
      // Two devices of one person see one visit twice.
      ...(dwell === undefined
        ? []
        : [
            {
              ...measured(`maxMapIf([once], [dwell], ${rows})`, dwell, bound),
              holds: ([longest]: readonly string[]) => `(${between(`arraySum(${longest}.2)`, dwell, bound)})`,
            },
          ]),
      ...(body.first === undefined ? [] : [age('first', rows, body.first, compiler)]),
      ...(body.last === undefined ? [] : [age('last', rows, body.last, compiler)]),
    ];
    return planOfMeasures(rows, given, [...edgesOf(body.window), ...edgesOfAges(body.first, body.last)]);
  },
  sentence: (body, language) => {
    const en = language === 'en';
    const often = body.count === undefined ? '' : bounded(body.count, TIMES, language);
    const measures = [
      daysWords(body.days, language),
      body.dwell === undefined
        ? ''
        : `${en ? 'for' : 'всего'} ${boundedBy(body.dwell, en ? 'minutes in all' : 'мин', language, 60)}`,
      body.distinctPlaces === undefined ? '' : boundedIn(body.distinctPlaces, 'at', PLACES, language),
      ageWords('first', body.first, language),
      ageWords('last', body.last, language),
    ];
    return clause(visited.words(body, language), often, measures, windowWords(body.window, language));
  },
};

const PLACES: Forms = { en: ['place', 'different places'], ru: ['месте', 'разных местах', 'разных местах'] };
