import type { Warehouse } from '../clickhouse/warehouse.ts';
import type { ThingBodies } from '../things/things.ts';
import type { Moment } from './lineage.ts';
import { type Presence, sourcesOf } from './presence.ts';

type Remembered = 'segment' | 'source' | 'line-item';

interface Version {
  /** From when it held, epoch ms. */
  readonly at: number;
  /** Null: it was taken away. */
  readonly body: unknown;
}

/** Every revision of what decides on which sources a bid stands, oldest first. */
export interface History {
  of(kind: Remembered, id: string): readonly Version[];
  /** Of all that there ever were. */
  ids(kind: Remembered): readonly string[];
}

interface Row {
  readonly kind: Remembered;
  readonly id: string;
  readonly at: number;
  readonly deleted: number;
  readonly body: string;
}

const SQL = `SELECT kind, id, toFloat64(toUnixTimestamp64Milli(at)) AS at, deleted, body FROM revisions FINAL
  WHERE kind IN {kinds:Array(String)} ORDER BY kind, id, revision`;

const ALL: readonly Remembered[] = ['segment', 'source', 'line-item'];

export async function readHistory(warehouse: Warehouse, kinds: readonly Remembered[] = ALL): Promise<History> {
  const rows = await warehouse.query<Row>({ sql: SQL, params: { kinds } });
  const versions = new Map<string, Version[]>();
  for (const { kind, id, at, deleted, body } of rows) {
    const key = `${kind} ${id}`;
    const list = versions.get(key) ?? [];
    versions.set(key, list);
    list.push({ at, body: deleted === 1 ? null : JSON.parse(body) });
  }
  const prefixed = (kind: Remembered): string[] =>
    [...versions.keys()].flatMap((key) => (key.startsWith(`${kind} `) ? [key.slice(kind.length + 1)] : []));
  const ids = { segment: prefixed('segment'), source: prefixed('source'), 'line-item': prefixed('line-item') };
  return { of: (kind, id) => versions.get(`${kind} ${id}`) ?? [], ids: (kind) => ids[kind] };
}

/** The things as they were at a time. */
export function momentAt(history: History, presence: Presence, at: number): Moment {
  return {
    get: (kind, id) => {
      const version = history.of(kind, id).findLast((one) => one.at <= at);
      return (version?.body ?? undefined) as ThingBodies[typeof kind] | undefined;
    },
    sources: () => sourcesOf(presence),
    holds: (source, kind) => (presence.get(kind)?.get(source) ?? Number.POSITIVE_INFINITY) <= at,
  };
}
