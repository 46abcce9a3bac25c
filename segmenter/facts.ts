import type { Limits, Warehouse } from '../dmp/clickhouse/warehouse.ts';
import type { DmpDeps } from '../dmp/deps.ts';
import { placesOf } from '../dmp/visits/places.ts';
import { inTurns } from './evaluate/turns.ts';
import { type Grounds, groundsOf } from './facts/grounds.ts';
import { isFresh, newestOf, type RawRows, type RawTable, rawRows } from './facts/raw.ts';
import {
  type FactsState,
  type Newest,
  readFactsState,
  readNewest,
  saveFactsState,
  seenAfter,
  sinceParams,
} from './facts/state.ts';

export interface FactsFolded {
  /** All facts were made anew. */
  readonly full: boolean;
  /** Rows that were looked at, put in and taken out. */
  readonly rows: number;
  readonly written: number;
  readonly deleted: number;
  /** People whose facts changed. */
  readonly touched: number;
  readonly seconds: number;
}

export interface Facts {
  /** Brings `facts` up to what the raw tables, identity and places say. Call after identity and visits. */
  fold(between?: Between): Promise<FactsFolded>;
}

type FactsDeps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'now'>;
type Between = (done: number, total: number) => Promise<void>;

const LIMITS: Limits = { seconds: 600, memoryBytes: 4 * 1024 ** 3 };
/** Identifiers whose rows are made facts by one statement of a rebuild. */
const PART = 5_000_000;
/** How surely the identifier is theirs. */
const SURE = 'device_sure, person_sure, household_sure';
/** Identifiers whose people are put together by one statement: 340 bytes each. */
const PART_OF_PEOPLE = 4_000_000;
const SLICE_OF_PEOPLE = 'cityHash64(profile) % {people:UInt32} = {part:UInt32}';
const STAGES = ['facts_found', 'facts_scope', 'facts_fresh', 'facts_wanted', 'facts_there'] as const;

/**
 * Makes facts of what people did. Each fold takes the raw rows that came in since the last one, and all rows of identifiers whose person,
 * catalogue or place changed; writes down what `facts` is to hold of them; says whose facts change (`touches`); deletes what is there and
 * not wanted; inserts what is wanted and not there; and last says how far it got. Cut off anywhere, the next fold does the same again,
 * where what was done already is no difference any more. So readers need no FINAL.
 */
export function createFacts(deps: FactsDeps): Facts {
  return { fold: (between = async () => undefined) => fold(deps, between) };
}

async function fold(deps: FactsDeps, between: Between): Promise<FactsFolded> {
  const { warehouse, redis } = deps;
  const began = performance.now();
  const now = deps.now();
  const grounds = groundsOf(placesOf(deps.things));
  const before = await readFactsState(redis);
  const newest = await readNewest(warehouse);
  const number = Math.max(before?.fold ?? 0, newest.fold) + 1;
  const counts =
    before === null ? await rebuild(deps, grounds, number, between) : await foldNews(deps, before, newest, grounds, number, now);
  await saveFactsState(redis, {
    at: now,
    fold: number,
    rebuilt: before === null ? number : before.rebuilt,
    identities: Math.max(before?.identities ?? 0, newest.identities),
    tables: seenAfter(before, newest.tables, now),
    places: grounds.digests,
  });
  return { full: before === null, ...counts, seconds: (performance.now() - began) / 1000 };
}

type Counts = Omit<FactsFolded, 'full' | 'seconds'>;

async function rebuild({ warehouse }: FactsDeps, grounds: Grounds, fold: number, between: Between): Promise<Counts> {
  const run = (sql: string, params = {}) => warehouse.command({ sql, params }, LIMITS);
  for (const table of [...STAGES, 'facts', 'placements']) await run(`TRUNCATE TABLE ${table}`);
  await run(`INSERT INTO placements (identifier, shard, profile) SETTINGS insert_deduplicate = 0
    SELECT identifier, household % 64, profile FROM identities FINAL`);
  const identifiers = Number((await count(warehouse, 'SELECT count() AS n FROM identities')) ?? 0);
  const parts = Math.ceil(identifiers / PART) || 1;
  const people = Math.ceil(identifiers / PART_OF_PEOPLE) || 1;
  for (let part = 0; part < people; part++)
    await run(insertPeople('facts', people === 1 ? '1' : SLICE_OF_PEOPLE), { people, part });
  const all = rawRows('all', grounds, 'cityHash64(identifier) % {parts:UInt32} = {part:UInt32}');
  for (let part = 0; part < parts; part++)
    for (const [done, rows] of all.entries()) {
      await between(part * all.length + done, parts * all.length);
      const chosen = parts === 1 ? '1' : 'cityHash64(identifier) % {parts:UInt32} = {part:UInt32}';
      await run(insertPlaced('facts', `SELECT ${rawColumns(rows)} FROM ${rows.from}`, rows, `identities FINAL WHERE ${chosen}`), {
        ...rows.params,
        parts,
        part,
      });
    }
  await run(
    `INSERT INTO touches (shard, profile, fold) SETTINGS insert_deduplicate = 0
    SELECT DISTINCT shard, profile, {fold:UInt64} FROM facts WHERE kind = 'person'`,
    { fold },
  );
  const written = await count(warehouse, 'SELECT count() AS n FROM facts');
  const touched = await count(warehouse, 'SELECT uniqExact(profile) AS n FROM placements');
  return { rows: written, written, deleted: 0, touched };
}

async function foldNews(
  { warehouse }: FactsDeps,
  before: FactsState,
  newest: Newest,
  grounds: Grounds,
  fold: number,
  now: number,
): Promise<Counts> {
  const times = sinceParams(before, now);
  const since = { ...times, seenIdentities: before.identities };
  const run = (sql: string, params = {}) => warehouse.command({ sql, params: { ...since, ...params } }, LIMITS);
  await clear(warehouse);
  const changed = changedPlaces(before.places, grounds.digests);
  const places = {
    changedPlaces: changed,
    changedStores: changed.flatMap((key) => (key.startsWith('store:') ? [key.slice(6)] : [])),
  };
  const isNew = (table: RawTable): boolean => (newest.tables.get(table) ?? 0) >= Math.max(1, times[`since_${table}`] ?? 0);
  if (newest.identities > before.identities || isNew('pings')) await run(SCOPE);
  const moved = await count(warehouse, `SELECT count() AS n FROM (${MOVED})`);
  if (moved > 0) await run(PLACE_MOVED);
  const fresh = rawRows('fresh', grounds).filter(({ table }) => isNew(table) || (table === 'pings' && moved > 0));
  const isAgain = moved > 0 || changed.length > 0 || isNew('products');
  const read = [...fresh, ...(isAgain ? rawRows('again', grounds) : [])].filter(
    ({ table }) => (newest.tables.get(table) ?? 0) > 0,
  );
  await inTurns(read, (rows) => run(insertFresh(rows), { ...rows.params, ...places }));
  // To look for nobody's takes as long: a part of each row is read.
  const located = await count(warehouse, `SELECT count() AS n FROM (${LOCATED})`);
  const compared = [
    WANT,
    FOUND_AGAIN,
    ...(moved > 0 ? [insertPeople('facts_wanted', `profile IN (${PROFILES_MOVED})`), ...FOUND_MOVED] : []),
    ...(located > 0 ? [FOUND_LOCATED] : []),
  ];
  if (moved > 0 || fresh.length > 0 || isAgain) {
    await inTurns(compared, (statement) => run(statement));
    await run(GONE);
  }
  const { kinds, ...counts } = await countChanges(warehouse);
  if (counts.deleted + counts.written > 0) await run(TOUCH, { fold });
  const words = { fold, before: before.at, now };
  if ((await count(warehouse, `SELECT count() AS n FROM consents WHERE ${WORDS}`, { ...since, ...words })) > 0)
    await run(TOUCH_CONSENTS, words);
  // What is deleted and what is put in are different rows; a revision is a hash of all of them.
  const remove = async (): Promise<void> => {
    for (const kind of kinds) await run(removeFound(kind));
  };
  const put = async (): Promise<void> => (counts.written > 0 ? run(PUT) : undefined);
  await inTurns([remove, put], (change) => change());
  const touched = await count(warehouse, 'SELECT uniqExact(profile) AS n FROM touches WHERE fold = {fold:UInt64}', { fold });
  await clear(warehouse);
  return { ...counts, touched };
}

const MOVED = "SELECT identifier FROM facts_scope WHERE why = 'moved'";
const PROFILES_MOVED = `SELECT profile FROM placements WHERE identifier IN (${MOVED})`;
const LOCATED = "SELECT identifier FROM facts_scope WHERE why = 'located'";

const SCOPE = `INSERT INTO facts_scope (identifier, why) SETTINGS insert_deduplicate = 0
  SELECT DISTINCT identifier, 'moved' FROM identities WHERE version > {seenIdentities:UInt64}
  UNION ALL SELECT DISTINCT identifier, 'located' FROM pings WHERE ${isFresh('pings')}`;

const PLACE_MOVED = `INSERT INTO placements (identifier, shard, profile) SETTINGS insert_deduplicate = 0
  SELECT identifier, household % 64, profile FROM identities FINAL WHERE identifier IN (${MOVED})`;

/** Rows of `facts` that the fold is about: the same facts as before, all that lies with identifiers that moved, where those are whose pings came. */
const FOUND_AGAIN = foundWhere('id IN (SELECT id FROM facts_fresh)');
const FOUND_MOVED = [
  `(shard, profile) IN (SELECT shard, profile FROM placements WHERE identifier IN (${MOVED}))
    AND identifier IN (${MOVED}) AND kind != 'person' AND id NOT IN (SELECT id FROM facts_fresh)`,
  `(shard, profile) IN (SELECT shard, profile FROM placements WHERE profile IN (${PROFILES_MOVED}))
    AND kind = 'person'`,
].map(foundWhere);
const FOUND_LOCATED =
  foundWhere(`(shard, profile) IN (SELECT shard, profile FROM placements WHERE identifier IN (${LOCATED})) AND identifier IN (${LOCATED})
    AND identifier NOT IN (${MOVED}) AND kind IN ('position', 'home', 'work') AND id NOT IN (SELECT id FROM facts_fresh)`);

function foundWhere(where: string): string {
  return `INSERT INTO facts_there (shard, profile, household, kind, id, revision) SETTINGS insert_deduplicate = 0
    SELECT shard, profile, household, kind, id, revision FROM facts WHERE ${where}`;
}

/**
 * What is to be deleted, in a table of its own: a deletion that was cut off goes on when the engine begins again, and must not look at what
 * is half there. A revision is a hash of all the rest.
 */
const GONE = `INSERT INTO facts_found (shard, profile, household, kind, id, revision) SETTINGS insert_deduplicate = 0
  SELECT shard, profile, household, kind, id, revision FROM facts_there
  WHERE (profile, revision) NOT IN (SELECT profile, revision FROM facts_wanted)`;

const NOT_THERE = '(profile, revision) NOT IN (SELECT profile, revision FROM facts_there)';

const PUT = `INSERT INTO facts SETTINGS insert_deduplicate = 0 SELECT * FROM facts_wanted WHERE ${NOT_THERE}`;

/** Rows of other kinds are not looked at; their parts are still made anew, by links. */
function removeFound(kind: string): string {
  return `DELETE FROM facts IN PARTITION '${kind}'
    WHERE (profile, revision) IN (SELECT profile, revision FROM facts_found WHERE kind = '${kind}')`;
}

/** Of a household everybody: rules may count by it. */
const TOUCH = `INSERT INTO touches (shard, profile, kind, fold) SETTINGS insert_deduplicate = 0
  WITH changed AS (
    SELECT shard, profile, household, kind FROM facts_found
    UNION DISTINCT SELECT shard, profile, household, kind FROM facts_wanted WHERE ${NOT_THERE})
  SELECT DISTINCT shard, profile, kind, {fold:UInt64} FROM changed
  UNION DISTINCT
  SELECT DISTINCT i.household % 64, i.profile, c.kind, {fold:UInt64}
  FROM (SELECT household, profile FROM identities WHERE household IN (SELECT household FROM changed) AND household != profile) AS i
  INNER JOIN (SELECT DISTINCT household, kind FROM changed) AS c USING household`;

/** What somebody said anew, or what has run out. */
const WORDS = `(${isFresh('consents')}
  OR expires > fromUnixTimestamp64Milli({before:Int64}) AND expires <= fromUnixTimestamp64Milli({now:Int64}))`;

/** Whose words these are: nothing of their facts changed, but whether they count. */
const TOUCH_CONSENTS = `INSERT INTO touches (shard, profile, fold) SETTINGS insert_deduplicate = 0
  SELECT DISTINCT household % 64, profile, {fold:UInt64} FROM identities FINAL WHERE household IN (
    SELECT household FROM identities WHERE identifier IN (SELECT identifier FROM consents WHERE ${WORDS}))`;

const CONTENT = [
  ...['kind', 'at', 'day', 'hour', 'weekday', 'source', 'sources', 'once', 'place', 'product', 'category', 'department', 'brand'],
  ...[
    'channel',
    'name',
    'item',
    'value',
    'number',
    'quantity',
    'amount',
    'currency',
    'dwell',
    'cell',
    'identifier',
    'id',
    'arrived',
  ],
];

const WANT = insertPlaced(
  'facts_wanted',
  'SELECT * FROM facts_fresh LIMIT 1 BY kind, id',
  null,
  // FINAL would read and merge all of them.
  `identities WHERE identifier IN (SELECT identifier FROM facts_fresh) ${newestOf('version', 'identifier')}`,
);

/** Columns of `facts` that a raw row gives, in order, then `gone`. */
function columnsOf({ columns }: RawRows): string[] {
  return Object.keys(columns);
}

function rawColumns(rows: RawRows): string {
  const content = Object.entries(rows.columns).map(([name, sql]) => `${sql} AS ${name}`);
  const hashed = Object.values(rows.columns).join(', ');
  return [`${kindOf(rows)} AS kind`, ...content, `cityHash64(${hashed}) AS revision`].join(', ');
}

function kindOf({ kind }: RawRows): string {
  return kind.includes('.') ? kind : `'${kind}'`;
}

function insertFresh(rows: RawRows): string {
  return `INSERT INTO facts_fresh (${['kind', ...columnsOf(rows), 'revision'].join(', ')}) SETTINGS insert_deduplicate = 0
    SELECT ${rawColumns(rows)} FROM ${rows.from}`;
}

/** Puts rows under the people whose they are. */
function insertPlaced(into: 'facts' | 'facts_wanted', select: string, rows: RawRows | null, identities: string): string {
  const content = rows === null ? CONTENT : ['kind', ...columnsOf(rows).filter((column) => column !== 'gone')];
  return `INSERT INTO ${into} (shard, profile, device, household, ${SURE}, ${content.join(', ')}, revision) SETTINGS insert_deduplicate = 0
    SELECT toUInt8(p.household % 64), p.profile, p.device, p.household, ${SURE}, ${content.map((column) => `f.${column}`).join(', ')},
      cityHash64(f.revision, p.profile, p.device, p.household, ${SURE})
    FROM (${select}) AS f
    INNER JOIN (SELECT identifier, profile, device, household, ${SURE} FROM ${identities}) AS p ON f.identifier = p.identifier
    WHERE f.gone = 0`;
}

/** One row for each device of everybody, so that people without facts are there. */
function insertPeople(into: 'facts' | 'facts_wanted', profiles: string): string {
  const isAll = profiles === '1' || profiles === SLICE_OF_PEOPLE;
  const chosen = isAll ? profiles : `${profiles} AND identifier IN (SELECT identifier FROM identities WHERE ${profiles})`;
  const columns = 'shard, profile, device, household, kind, item, value, name, once, id, revision';
  return `INSERT INTO ${into} (${columns}, ${SURE}) SETTINGS insert_deduplicate = 0
    SELECT toUInt8(household % 64), profile, device, household, 'person', anchor_text, kinds, unsure, key, key,
      cityHash64(key, anchor_text, kinds, unsure, ${SURE}), ${SURE}
    FROM (
      SELECT profile, device, household, toString(min(first)) AS anchor_text, arrayStringConcat(arraySort(groupArray(sort)), ',') AS kinds,
        arrayStringConcat(arraySort(groupArrayIf(concat(sort, ':', toString(of_device), ':', toString(of_person)), of_device < 100)), ',') AS unsure,
        cityHash64('person', profile, device, household) AS key,
        max(of_device) AS device_sure, max(of_person) AS person_sure, max(of_household) AS household_sure
      FROM (SELECT profile, device, household, toString(kind) AS sort, min(anchor) AS first, max(device_sure) AS of_device,
          max(person_sure) AS of_person, max(household_sure) AS of_household
        FROM identities FINAL WHERE ${chosen} GROUP BY profile, device, household, kind)
      GROUP BY profile, device, household)`;
}

/** What a fold left behind, itself or one that was cut off. */
async function clear(warehouse: Warehouse): Promise<void> {
  const counts = STAGES.map((table) => `(SELECT count() FROM ${table}) AS ${table}`).join(', ');
  const [rows] = await warehouse.query<Record<string, string>>({ sql: `SELECT ${counts}` });
  for (const table of STAGES) if (rows?.[table] !== '0') await warehouse.command({ sql: `TRUNCATE TABLE ${table}` });
}

/** @returns `kinds` of what is to be deleted: `facts` lies by kind */
async function countChanges(warehouse: Warehouse): Promise<Omit<Counts, 'touched'> & { readonly kinds: readonly string[] }> {
  const sql = `SELECT (SELECT count() FROM facts_wanted) AS rows, (SELECT count() FROM facts_found) AS deleted,
    (SELECT groupUniqArray(toString(kind)) FROM facts_found) AS kinds, (SELECT countIf(${NOT_THERE}) FROM facts_wanted) AS written`;
  const [row] = await warehouse.query<{ rows: string; deleted: string; written: string; kinds: string[] }>({ sql }, LIMITS);
  return { rows: Number(row?.rows), written: Number(row?.written), deleted: Number(row?.deleted), kinds: row?.kinds ?? [] };
}

/** Places whose zone or cell is not that of the facts. */
function changedPlaces(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): string[] {
  const gone = [...before.keys()].filter((key) => !now.has(key));
  return [...gone, ...[...now].flatMap(([key, digest]) => (before.get(key) === digest ? [] : [key]))];
}

async function count(warehouse: Warehouse, sql: string, params: Record<string, unknown> = {}): Promise<number> {
  const [row] = await warehouse.query<{ n: string }>({ sql, params }, LIMITS);
  return Number(row?.n ?? 0);
}
