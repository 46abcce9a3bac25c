import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { KIND_NAMES } from '../../dmp/identity/kinds.ts';
import type { Graph } from './graph.ts';
import type { Numbers } from './number.ts';

/** Rows of one insert: 80 MB of text. Fewer and larger parts are less for the engine to merge. */
const BATCH = 500_000;
const COLUMNS = ['identifier', 'kind', 'profile', 'anchor', 'version', 'own', 'device', 'household', 'cluster', 'shared'];

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
export function differenceOf(graph: Graph, numbers: Numbers, shared: Uint8Array): Difference {
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
      known.shared[node] === shared[node];
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
  nodes: readonly number[],
  version: number,
): Promise<void> {
  const { profile, device, household, cluster, own } = numbers;
  const anchors = anchorsOf(graph, numbers, nodes);
  for (let from = 0; from < nodes.length; from += BATCH) {
    const lines: string[] = [];
    for (let at = from; at < Math.min(from + BATCH, nodes.length); at++) {
      const node = nodes[at] as number;
      const kind = KIND_NAMES[graph.kind[node] as number];
      const anchor = anchors.get(profile[node] as number);
      lines.push(
        `${graph.nodes.uuid(node)}\t${kind}\t${profile[node]}\t${anchor}\t${version}\t${own[node]}\t${device[node]}\t${household[node]}\t${cluster[node]}\t${shared[node]}\n`,
      );
    }
    await warehouse.insertText('identities', COLUMNS, Buffer.from(lines.join('')), '');
  }
}

/** The anchor of each profile that a row is written of: the identifier whose own its id is. */
function anchorsOf(graph: Graph, { profile, own }: Numbers, nodes: readonly number[]): Map<number, string> {
  const wanted = new Set<number>();
  for (const node of nodes) wanted.add(profile[node] as number);
  const anchors = new Map<number, string>();
  for (let node = 0; node < graph.size; node++)
    if (own[node] === profile[node] && wanted.has(profile[node] as number))
      anchors.set(profile[node] as number, graph.nodes.uuid(node));
  return anchors;
}
