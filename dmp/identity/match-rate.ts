import { ADDRESSABLE_KINDS } from '../../proto/identifier.ts';
import { matchSource } from '../../proto/match.ts';
import { isBridge, NAMES } from '../../proto/pepper.ts';
import type { Warehouse } from '../clickhouse/warehouse.ts';
import { countFor, MINIMUM, type Told } from '../segments/minimum.ts';

/** Whom a report is about, and where they could be met. */
export interface MatchRateQuery {
  /** Ids of the sources that are listed, and whose identifiers count; null: all. */
  readonly sources: readonly string[] | null;
  readonly exchanges: readonly string[];
  /** Members of this segment alone; null: everybody known. */
  readonly segment: string | null;
  /** In percent: an identifier that is less surely the person's names nobody, as bidders are told of it. */
  readonly sure: number;
  /** Epoch ms: bids since then count. */
  readonly since: number;
  /** Who is told. */
  readonly to: Told;
}

/** Counts of people; null where they are fewer than ten, of whom one could be known. */
export interface Matched {
  /** Identifiers that were named, keys all. */
  readonly identifiers: number | null;
  readonly people: number | null;
  /** Of these people, those whom a bid request can name: who have an advertising id, a cookie of ours or an id of an exchange. */
  readonly addressable: number | null;
  /** addressable / people */
  readonly rate: number | null;
}

export interface MatchRate {
  readonly all: Matched;
  readonly sources: readonly ({ readonly source: string } & Matched)[];
  readonly kinds: readonly ({ readonly kind: string } & Matched)[];
  /** People with whom the exchange's id is matched, or whom a bid there named; `rate` of all people. */
  readonly exchanges: readonly { readonly exchange: string; readonly people: number | null; readonly rate: number | null }[];
}

const LIMITS = { seconds: 60, memoryBytes: 4 * 1024 ** 3 };

interface Row {
  readonly name: string;
  readonly identifiers: string;
  readonly people: string;
  readonly addressable: string;
}

/** How many people could be met by bidding, before any bid. */
export async function matchRate(warehouse: Warehouse, query: MatchRateQuery): Promise<MatchRate> {
  const params = {
    kinds: [...ADDRESSABLE_KINDS, ''],
    segment: query.segment ?? '',
    sure: query.sure,
    sources: query.sources ?? [],
    anySource: query.sources === null ? 1 : 0,
    exchanges: query.exchanges,
    matches: query.exchanges.map(matchSource),
    since: query.since,
  };
  const read = (sql: string): Promise<Row[]> => warehouse.query<Row>({ sql: `WITH ${PEOPLE} ${sql}`, params }, LIMITS);
  const [all] = await read(`SELECT '' AS name, ${COUNTS} FROM known`);
  const sources = await read(
    `SELECT source AS name, ${COUNTS} FROM known AS k INNER JOIN named USING identifier WHERE isSure GROUP BY source ORDER BY source`,
  );
  const kinds = await read(`SELECT k.kind AS name, ${COUNTS} FROM known AS k WHERE isSure GROUP BY k.kind ORDER BY name`);
  const exchanges = await read(
    `SELECT exchange AS name, 0 AS identifiers, uniqExact(profile) AS people, people AS addressable
     FROM (SELECT profile, exchange FROM current INNER JOIN met USING identifier WHERE isSure)
     WHERE profile IN (SELECT profile FROM known) GROUP BY exchange`,
  );
  const { to } = query;
  const people = Number(all?.people ?? 0);
  return {
    all: matchedOf(all, to),
    sources: sources.map((row) => ({ source: row.name, ...matchedOf(row, to) })),
    kinds: kinds.map((row) => ({ kind: row.name === '' ? 'unknown' : row.name, ...matchedOf(row, to) })),
    exchanges: query.exchanges.map((exchange) => {
      const found = Number(exchanges.find((row) => row.name === exchange)?.people ?? 0);
      return { exchange, people: least(found, to), rate: rateOf(found, people, to) };
    }),
  };
}

/** Somebody of whom all identifiers are doubted is one of the people all the same: nobody can meet them. */
const COUNTS =
  'uniqExactIf(identifier, isSure) AS identifiers, uniqExact(profile) AS people, uniqExactIf(profile, addressable) AS addressable';

const PEOPLE = `
  named AS (
    SELECT node AS identifier, source FROM links
    WHERE NOT startsWith(source, 'sync:') AND NOT ${isBridge('source')} AND ({anySource:UInt8} = 1 OR source IN {sources:Array(String)})
    GROUP BY node, source
  ),
  current AS (SELECT identifier, kind, profile, person_sure >= {sure:UInt8} AS isSure FROM identities FINAL),
  reach AS (SELECT profile, max(isSure AND kind IN {kinds:Array(String)}) AS addressable FROM current GROUP BY profile),
  known AS (
    SELECT identifier, toString(kind) AS kind, profile, isSure, addressable FROM current INNER JOIN reach USING profile
    WHERE ({segment:String} = '' OR profile IN (
        SELECT profile FROM memberships WHERE segment = {segment:String} GROUP BY profile HAVING argMax(status, version) = 1))
      AND ({anySource:UInt8} = 1 OR identifier IN (SELECT identifier FROM named)) AND identifier NOT IN (${NAMES})
  ),
  met AS (
    SELECT node AS identifier, transform(source, {matches:Array(String)}, {exchanges:Array(String)}, '') AS exchange
    FROM links WHERE source IN {matches:Array(String)}
    UNION DISTINCT
    SELECT identifier, toString(exchange) AS exchange FROM ad_events
    WHERE exchange IN {exchanges:Array(String)} AND test = 0 AND bid_at >= fromUnixTimestamp64Milli({since:Int64})
  )`;

function matchedOf(row: Row | undefined, to: Told): Matched {
  const [identifiers, people, addressable] = [row?.identifiers, row?.people, row?.addressable].map((n) => Number(n ?? 0)) as [
    number,
    number,
    number,
  ];
  if (people < MINIMUM) return { identifiers: null, people: null, addressable: null, rate: null };
  return {
    identifiers: countFor(to, identifiers),
    people: countFor(to, people),
    addressable: least(addressable, to),
    rate: addressable === 0 && to.advertiser === null ? 0 : rateOf(addressable, people, to),
  };
}

/** Nobody is told as nobody to the operator only. */
function least(people: number, to: Told): number | null {
  return people > 0 && people < MINIMUM ? null : countFor(to, people);
}

/** Made of the counts as they are told. */
function rateOf(some: number, people: number, to: Told): number | null {
  if (some < MINIMUM || people < MINIMUM) return null;
  return Math.min(1, (countFor(to, some) as number) / (countFor(to, people) as number));
}
