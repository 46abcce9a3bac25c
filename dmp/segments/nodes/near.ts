import { Type } from 'typebox';
import type { Fence } from '../../../proto/fence.ts';
import { cellsNear, inCells } from '../cells.ts';
import { checkOwned } from '../check-members.ts';
import { both, fencesOf } from '../conditions.ts';
import { type BodyOf, names, Rivals } from '../members.ts';
import type { Language, NodeCheck, NodeKind } from '../node.ts';
import type { Compiler } from '../plan.ts';
import { placesThatCount } from '../rows.ts';
import { anyOf, counted, numeral, spaced } from '../words.ts';

const PLACES = {
  stores: names('stores'),
  storeGroups: names('groups of stores'),
  geofences: names('geofences: a quarter, a trade area, a rival’s shop'),
  rivals: Rivals,
  metres: Type.Number({ minimum: 0, maximum: 50_000, description: 'at most so far from the fence of one of them; absent: 500' }),
};
const FIELDS = {
  ...PLACES,
  hours: Type.Number({
    exclusiveMinimum: 0,
    maximum: 2_160,
    description: 'a last position of the last so many hours; absent: 1, which is now',
  }),
};
export type Near = BodyOf<typeof FIELDS>;
export type Area = BodyOf<typeof PLACES>;

const METRES = 500;
const HOURS = 1;
const HOUR_MS = 3_600_000;

export const near: NodeKind<Near> = {
  says: 'Is near a place now, or was there when a source last saw one of the person’s devices. Without stores, groups, geofences or rivals: near any store. To about 200 m, as positions are kept in cells; beyond 8 km to 500 m and beyond 20 km to 1,400 m.',
  fields: FIELDS,
  examples: [
    { stores: ['st_1'], metres: 1_000 },
    { geofences: ['gf_1'], metres: 0, hours: 24 },
  ],
  check: checkArea,
  plan: (body, compiler) => {
    const { bound, scope } = compiler;
    const age = Math.round((body.hours ?? HOURS) * HOUR_MS);
    const rows = both(
      "kind = 'position'",
      `at > ${bound.time(scope.now - age)} AND at <= ${bound.time(scope.now)}`,
      inArea(body, compiler),
      placesThatCount(compiler),
    );
    return { measures: [`countIf(${rows})`], rows, edges: [0, age], holds: ([count]) => `${count} > 0` };
  },
  sentence: (body, language) => {
    const { hours = HOURS } = body;
    const en = language === 'en';
    const time = counted(hours, { en: ['hour', 'hours'], ru: ['час', 'часа', 'часов'] }, language);
    return spaced(
      hours === HOURS ? (en ? 'are now' : 'сейчас находятся') : en ? 'were last seen' : 'в последний раз замечены',
      areaWords(body, language),
      hours === HOURS ? '' : en ? `in the last ${time}` : `за последние ${time}`,
    );
  },
};

export const home = livesOrWorks('home', { en: 'live', ru: 'живут' }, 'where it was in most nights');
export const work = livesOrWorks(
  'work',
  { en: 'work', ru: 'работают' },
  'where it was on most working days from 10:00 to 17:00, its home left out',
);

function livesOrWorks(kind: 'home' | 'work', verb: Readonly<Record<Language, string>>, what: string): NodeKind<Area> {
  return {
    says: `Has the ${kind} near a place or in an area, by the positions of a device: ${what}, three at least. Without stores, groups, geofences or rivals: near any store. To about 200 m, as of \`near\`.`,
    fields: PLACES,
    examples: [
      { stores: ['st_1'], metres: 3_000 },
      { geofences: ['gf_1'], metres: 0 },
    ],
    check: checkArea,
    plan: (body, compiler) => {
      const rows = both(`kind = '${kind}'`, inArea(body, compiler), placesThatCount(compiler));
      return { measures: [`countIf(${rows})`], rows, edges: [], holds: ([count]) => `${count} > 0` };
    },
    sentence: (body, language) => spaced(verb[language], areaWords(body, language)),
  };
}

function checkArea(body: Area, pointer: string, check: NodeCheck): void {
  checkOwned('store', body.stores, `${pointer}/stores`, check);
  checkOwned('store-group', body.storeGroups, `${pointer}/storeGroups`, check);
  checkOwned('geofence', body.geofences, `${pointer}/geofences`, check);
}

/** The condition that the row's cell is near one of the places. A place that is gone is nowhere. */
function inArea(area: Area, compiler: Compiler): string {
  const { scope, bound } = compiler;
  const { stores, storeGroups, metres = METRES } = area;
  const geofences = fencesOf(area, compiler);
  const isAny = stores === undefined && storeGroups === undefined && geofences === null;
  const ids = isAny
    ? (scope.stores ?? scope.places?.stores() ?? [])
    : [...(stores ?? []), ...(storeGroups ?? []).flatMap((group) => scope.storesOf(group))];
  const fences: (Fence | null | undefined)[] = [
    ...ids.map((id) => scope.places?.fence('store', id)),
    ...(geofences ?? []).map((id) => scope.places?.fence('geofence', id)),
  ];
  return inCells(
    fences.flatMap((fence) => (fence == null ? [] : [cellsNear(fence, metres)])),
    bound,
  );
}

function areaWords({ stores, storeGroups, geofences, rivals, metres = METRES }: Area, language: Language): string {
  const en = language === 'en';
  const said = (ids: readonly string[] | undefined, words: string): string[] =>
    ids === undefined ? [] : [`${words} ${anyOf(ids, language)}`];
  const of = [
    ...said(stores, en ? 'store' : 'магазина'),
    ...said(storeGroups, en ? 'a store of group' : 'магазина группы'),
    ...said(geofences, en ? 'geofence' : 'зоны'),
    ...(rivals === true ? [en ? 'a rival’s shop' : 'магазина конкурента'] : []),
  ];
  const places = of.length === 0 ? (en ? 'any store' : 'любого магазина') : of.join(en ? ' or ' : ' или ');
  if (metres === 0) return en ? `within ${places}` : `в пределах ${places}`;
  return en ? `within ${numeral(metres, 'en')} m of ${places}` : `не дальше ${numeral(metres, 'ru')} м от ${places}`;
}
