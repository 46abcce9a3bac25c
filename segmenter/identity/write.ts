import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { KIND_NAMES } from '../../dmp/identity/kinds.ts';
import type { Graph } from './graph.ts';
import type { Numbers } from './number.ts';
import { RowText } from './row-text.ts';
import type { Sureness } from './sure.ts';

/** Rows of one insert: 80 MB of text. Fewer and larger parts are less for the engine to merge. */
const BATCH = 500_000;
const COLUMNS = [
  ...['identifier', 'kind', 'profile', 'anchor', 'version', 'own', 'device', 'household', 'cluster', 'shared'],
  ...['device_sure', 'person_sure', 'household_sure'],
];

/** An identifier's profile that became another one, with the anchors of both. */
export interface Move {
  readonly from: string;
  readonly to: string;
  /** The profile that it was in is in the other now; else the other was split off from it. */
  readonly merged: boolean;
}

export interface Difference {
  /** Nodes whose rows are not what the warehouse has. */
  readonly nodes: readonly number[];
  /** Profiles whose identifiers changed, old and new. */
  readonly changed: ReadonlySet<number>;
  readonly moves: readonly Move[];
}

/** What is to be written of a resolution. */
export function differenceOf(graph: Graph, numbers: Numbers, shared: Uint8Array, sure: Sureness): Difference {
  const { known, kind, inside } = graph;
  const { profile, device, household, cluster, own } = numbers;
  const nodes: number[] = [];
  const changed = new Set<number>();
  const moved = new Map<number, Set<number>>();
  for (let node = 0; node < graph.size; node++) {
    if (inside[node] === 0) continue;
    const isMoved = known.profile[node] !== profile[node];
    const isSame =
      known.has[node] === 1 &&
      !isMoved &&
      known.device[node] === device[node] &&
      known.household[node] === household[node] &&
      known.cluster[node] === cluster[node] &&
      known.own[node] === own[node] &&
      known.kind[node] === kind[node] &&
      known.shared[node] === shared[node] &&
      known.sureDevice[node] === sure.device[node] &&
      known.surePerson[node] === sure.person[node] &&
      known.sureHousehold[node] === sure.household[node];
    if (isSame) continue;
    nodes.push(node);
    changed.add(profile[node] as number);
    const before = known.profile[node] as number;
    if (!isMoved || before === 0) continue;
    changed.add(before);
    const targets = moved.get(before) ?? new Set();
    moved.set(before, targets.add(profile[node] as number));
  }
  return { nodes, changed, moves: movesOf(graph, numbers, moved) };
}

function movesOf(graph: Graph, { profile, own }: Numbers, moved: ReadonlyMap<number, ReadonlySet<number>>): Move[] {
  if (moved.size === 0) return [];
  const anchors = new Map<number, number>();
  for (let node = 0; node < graph.size; node++) if (own[node] !== 0) anchors.set(own[node] as number, node);
  const moves: Move[] = [];
  for (const [before, targets] of moved)
    for (const after of targets) {
      const [from, to] = [anchors.get(before), anchors.get(after)];
      if (from === undefined || to === undefined) continue;
      moves.push({ from: graph.nodes.uuid(from), to: graph.nodes.uuid(to), merged: profile[from] === after });
    }
  return moves;
}

/** Writes the rows of a difference under a new version. */
export async function writeRows(
  warehouse: Warehouse,
  graph: Graph,
  numbers: Numbers,
  shared: Uint8Array,
  sure: Sureness,
  nodes: readonly number[],
  version: number,
): Promise<void> {
  const { profile, device, household, cluster, own } = numbers;
  const { words } = graph.nodes;
  const anchors = anchorsOf(graph, numbers);
  for (let from = 0; from < nodes.length; from += BATCH) {
    const to = Math.min(from + BATCH, nodes.length);
    const text = new RowText((to - from) * ROW_BYTES);
    for (let at = from; at < to; at++) {
      const node = nodes[at] as number;
      text.begin(ROW_BYTES);
      text.uuid(words, node * 4);
      text.text(KIND_TEXTS[graph.kind[node] as number] as Buffer);
      text.number(profile[node] as number);
      text.uuid(words, (anchors.get(profile[node] as number) as number) * 4);
      text.number(version);
      text.number(own[node] as number);
      text.number(device[node] as number);
      text.number(household[node] as number);
      text.number(cluster[node] as number);
      text.number(shared[node] as number);
      text.number(sure.device[node] as number);
      text.number(sure.person[node] as number);
      text.number(sure.household[node] as number);
      text.end();
    }
    await warehouse.insertText('identities', COLUMNS, text.bytes, '');
  }
}

const KIND_TEXTS = KIND_NAMES.map((kind) => Buffer.from(kind));
/** The most that a row takes. */
const ROW_BYTES = 2 * 37 + 16 + 7 * 11 + 3 * 4 + 17;

/** The anchor of each profile: the identifier whose own its id is. */
function anchorsOf({ size }: Graph, { profile, own }: Numbers): Map<number, number> {
  const anchors = new Map<number, number>();
  for (let node = 0; node < size; node++)
    if (own[node] !== 0 && own[node] === profile[node]) anchors.set(own[node] as number, node);
  return anchors;
}
