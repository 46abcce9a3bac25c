import type { Limits, Statement, Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { KIND_CODES, KIND_NAMES, KIND_TERMS } from '../../dmp/identity/kinds.ts';
import { isBridge } from '../../proto/pepper.ts';
import { Graph, SAME } from './graph.ts';

/** What links are live by: the time, and the sources whose contract has ended. */
export interface Conditions {
  /** Epoch ms. */
  readonly now: number;
  readonly revoked: readonly string[];
}

export const LIMITS: Limits = { seconds: 120, memoryBytes: 4 * 1024 ** 3 };
/** Links that are read at once: 80 MB, since each is there from both ends. */
const PART = 4_000_000;
/** Keys in one question. */
const OUTSIDE = 5_000;

const kinds = KIND_NAMES as readonly string[];
const PARAMS = { kinds, codes: KIND_CODES, days: KIND_NAMES.map((kind) => KIND_TERMS[kind].days) };
const codeOf = (kind: string): string => `transform(${kind}, {kinds:Array(String)}, {codes:Array(UInt8)}, toUInt8(0))`;
const daysOf = (kind: string): string => `transform(${kind}, {kinds:Array(String)}, {days:Array(UInt32)}, toUInt32(180))`;

/** Different times to live, days. */
export const LIFETIMES: readonly number[] = [...new Set(PARAMS.days)];

/**
 * The parts of a link that make it live or not, by ends and source. Binds now and revoked. That two keys are one identifier under
 * two peppers is so for good.
 */
export function liveLinks(where: string): string {
  return `SELECT node, neighbour, max(l.kind) AS node_kind, max(l.neighbour_kind) AS other_kind, if(${isBridge('source')}, ${SAME / 100}, max(l.confidence)) AS sure, min(l.first_seen) AS since
    FROM links AS l WHERE ${where} AND source NOT IN {revoked:Array(String)}
    GROUP BY node, neighbour, source
    HAVING max(l.named) > max(l.withdrawn)
      AND (node = neighbour OR ${isBridge('source')} OR toUnixTimestamp(max(l.named)) + least(${daysOf('node_kind')}, ${daysOf('other_kind')}) * 86400 > {now:UInt32})`;
}

export function liveParams({ now, revoked }: Conditions): Record<string, unknown> {
  return { ...PARAMS, now: Math.floor(now / 1000), revoked };
}

/** Bytes of a row of the two queries below. */
const LINK_BYTES = 16 + 16 + 1 + 1 + 1 + 4 + 1;
const KNOWN_BYTES = 16 + 1 + 4 * 5 + 4 + 1;

/** All identifiers and links that there are, in typed arrays. */
export async function readWhole(warehouse: Warehouse, conditions: Conditions): Promise<Graph> {
  const sizes = 'SELECT (SELECT count() FROM links) AS links, (SELECT count() FROM identities) AS identities';
  const [size] = await warehouse.query<{ links: string; identities: string }>({ sql: sizes });
  const links = Number(size?.links ?? 0);
  // Links are there from both ends, and each has two of them.
  const graph = new Graph(Math.max(1_024, Number(size?.identities ?? 0)), Math.max(1_024, links >> 1));
  const parts = Math.ceil(links / PART) || 1;
  for (let part = 0; part < parts; part++) {
    const where = 'node <= neighbour AND cityHash64(node) % {parts:UInt32} = {part:UInt32}';
    await addLinks(warehouse, graph, where, '1', { ...liveParams(conditions), parts, part });
  }
  await addKnown(warehouse, graph, 'SELECT * FROM identities FINAL', '');
  graph.inside.fill(1, 0, graph.size);
  return graph;
}

/** The identifiers of the scope with all their links, and what is known of these and of their neighbours. */
export async function readScope(warehouse: Warehouse, conditions: Conditions, still: readonly string[]): Promise<Graph> {
  const graph = new Graph();
  const insideOf = (identifier: string): string =>
    `${identifier} IN (SELECT identifier FROM identity_scope) AND ${identifier} NOT IN {still:Array(UUID)}`;
  // Each edge once, though it is there from both ends.
  const once = `${insideOf('node')} AND (node <= neighbour OR NOT (${insideOf('neighbour')}))`;
  await addLinks(warehouse, graph, once, insideOf('neighbour'), { ...liveParams(conditions), still });
  await addKnown(warehouse, graph, `SELECT * FROM identities WHERE ${insideOf('identifier')}`, '1', { still });
  const outside = outsideOf(graph);
  for (let from = 0; from < outside.length; from += OUTSIDE) {
    const some = outside.slice(from, from + OUTSIDE);
    await addKnown(warehouse, graph, 'SELECT * FROM identities WHERE identifier IN {some:Array(UUID)}', '0', { some });
  }
  return graph;
}

/** Neighbours that are not looked at: mostly shared ones. */
function outsideOf({ nodes, inside, size }: Graph): string[] {
  const outside: string[] = [];
  for (let node = 0; node < size; node++) if (inside[node] === 0) outside.push(nodes.uuid(node));
  return outside;
}

async function addLinks(
  warehouse: Warehouse,
  graph: Graph,
  where: string,
  inside: string,
  params: Record<string, unknown>,
): Promise<void> {
  const sql = `SELECT node, neighbour, ${codeOf('node_kind')}, ${codeOf('other_kind')}, toUInt8(round(sure * 100)), toUnixTimestamp(since), toUInt8(${inside})
    FROM (${liveLinks(where)}) ORDER BY node, neighbour`;
  await eachRow(warehouse, { sql, params }, LINK_BYTES, (bytes, at) => {
    const kind = bytes[at + 32] as number;
    const otherKind = bytes[at + 33] as number;
    const from = graph.node(bytes, at, kind);
    const to = graph.node(bytes, at + 16, otherKind);
    graph.inside[from] = 1;
    if (bytes[at + 39] === 1) graph.inside[to] = 1;
    if (from === to) return;
    graph.edge(from, to, sureOf(kind, otherKind, bytes[at + 34] as number), bytes.readUInt32LE(at + 35));
  });
}

const SURE = Uint8Array.from(KIND_NAMES, (kind) => Math.round(KIND_TERMS[kind].confidence * 100));

/** As sure as its source is, and no surer than its kinds can be. */
function sureOf(kind: number, otherKind: number, given: number): number {
  if (given === SAME) return SAME;
  return Math.min(SURE[kind] as number, SURE[otherKind] as number, given);
}

async function addKnown(
  warehouse: Warehouse,
  graph: Graph,
  from: string,
  inside: string,
  params: Record<string, unknown> = {},
): Promise<void> {
  const newest = (column: string): string => `argMax(${column}, version)`;
  const columns = ['profile', 'device', 'household', 'cluster', 'own', 'shared', 'device_sure', 'person_sure', 'household_sure'];
  const sql =
    inside === ''
      ? `SELECT identifier, ${codeOf('toString(kind)')}, ${columns.join(', ')}, toUInt8(1) FROM (${from})`
      : `SELECT identifier, ${codeOf(`toString(${newest('kind')})`)}, ${columns.map(newest).join(', ')}, toUInt8(${inside})
         FROM (${from}) GROUP BY identifier`;
  const statement = { sql, params: { ...params, kinds: PARAMS.kinds, codes: PARAMS.codes } };
  await eachRow(warehouse, statement, KNOWN_BYTES, (bytes, at) => {
    const node = graph.node(bytes, at, bytes[at + 16] as number);
    const { known } = graph;
    known.has[node] = 1;
    known.kind[node] = bytes[at + 16] as number;
    known.profile[node] = bytes.readUInt32LE(at + 17);
    known.device[node] = bytes.readUInt32LE(at + 21);
    known.household[node] = bytes.readUInt32LE(at + 25);
    known.cluster[node] = bytes.readUInt32LE(at + 29);
    known.own[node] = bytes.readUInt32LE(at + 33);
    known.shared[node] = bytes[at + 37] as number;
    known.sureDevice[node] = bytes[at + 38] as number;
    known.surePerson[node] = bytes[at + 39] as number;
    known.sureHousehold[node] = bytes[at + 40] as number;
    if (bytes[at + 41] === 1) graph.inside[node] = 1;
  });
}

/** Rows of a fixed width, each whole, however the pieces were cut. */
async function eachRow(
  warehouse: Warehouse,
  statement: Statement,
  width: number,
  take: (bytes: Buffer, at: number) => void,
): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of warehouse.scan(statement, LIMITS)) {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let at = 0;
    for (; at + width <= bytes.length; at += width) take(bytes, at);
    rest = bytes.subarray(at);
  }
  if (rest.length > 0) throw new Error(`${rest.length} bytes of a row of ${width} are left`);
}
