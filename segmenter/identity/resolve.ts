import { CERTAIN, KIND_NAMES, KIND_TERMS, LEVELS, MOST_AT_HOME, MOST_OF } from '../../dmp/identity/kinds.ts';
import { MOST_PEPPERS } from '../../proto/pepper.ts';
import { type Graph, SAME } from './graph.ts';
import { Union } from './union.ts';

/** Who is one device, one person, one household; and what hangs together at all, which the limits cut. */
export interface Groups {
  readonly device: Union;
  readonly person: Union;
  readonly household: Union;
  readonly cluster: Union;
  /** 1: the identifier is joined with more others than one person's is, so it joins nobody. */
  readonly shared: Uint8Array;
  /** Of each edge what it joins: DEVICE, PERSON, HOUSEHOLD, ONE or nobody. */
  readonly levels: Uint8Array;
  /** Edges that would have made a group too large. */
  readonly refused: number;
}

export const [DEVICE, PERSON, HOUSEHOLD] = [0, 1, 2] as const;
const KIND_LEVEL = Uint8Array.from(KIND_NAMES, (kind) => LEVELS.indexOf(KIND_TERMS[kind].level));
const KIND_MOST = Uint32Array.from(KIND_NAMES, (kind) => KIND_TERMS[kind].most);
const IP = KIND_NAMES.indexOf('ip');
const CERTAIN_PERCENT = CERTAIN * 100;

/**
 * Resolves who is who. The graph must hold all that hangs together: each node's every edge. The result is a function of nodes and
 * edges alone, whatever order they came in, so that a part resolved alone comes out as it would within the whole.
 */
export function resolve(graph: Graph): Groups {
  const shared = spread(graph, findShared(graph));
  const levels = levelsOf(graph, shared);
  const cluster = joinAll(graph, (edge) => levels[edge] !== BLOCKED, new Union(graph.size));
  const tally = { refused: 0 };
  const device = joinLevel(graph, levels, DEVICE, keysAsOne(graph, shared), MOST_OF.device, tally);
  const person = joinLevel(graph, levels, PERSON, device, MOST_OF.person, tally);
  const household = joinLevel(graph, levels, HOUSEHOLD, person, MOST_OF.household, tally);
  return { device, person, household, cluster, shared, levels, refused: tally.refused };
}

/** Keys of one identifier under several peppers are one, at every level, and take one place within the limits. */
function keysAsOne({ size, edges, from, to, confidence }: Graph, shared: Uint8Array): Union {
  const union = new Union(size);
  for (let edge = 0; edge < edges; edge++) {
    const [x, y] = [from[edge] as number, to[edge] as number];
    if (confidence[edge] === SAME && shared[x] === 0 && shared[y] === 0) union.same(x, y);
  }
  return union;
}

/** What is shared under one pepper is so under the others. */
function spread({ edges, from, to, confidence }: Graph, shared: Uint8Array): Uint8Array {
  for (let turn = 1; turn < MOST_PEPPERS; turn++)
    for (let edge = 0; edge < edges; edge++) {
      const [x, y] = [from[edge] as number, to[edge] as number];
      if (confidence[edge] !== SAME || shared[x] === shared[y]) continue;
      shared[x] = 1;
      shared[y] = 1;
    }
  return shared;
}

/** Counts each node's different neighbours by their kind. */
function findShared(graph: Graph): Uint8Array {
  const { size, kind, from, to, edges, confidence } = graph;
  const starts = new Uint32Array(size + 1);
  for (let edge = 0; edge < edges; edge++) {
    if (confidence[edge] === SAME) continue;
    starts[(from[edge] as number) + 1] = (starts[(from[edge] as number) + 1] as number) + 1;
    starts[(to[edge] as number) + 1] = (starts[(to[edge] as number) + 1] as number) + 1;
  }
  for (let node = 0; node < size; node++) starts[node + 1] = (starts[node + 1] as number) + (starts[node] as number);
  const next = starts.slice();
  const neighbours = new Uint32Array(edges * 2);
  for (let edge = 0; edge < edges; edge++) {
    if (confidence[edge] === SAME) continue;
    const [x, y] = [from[edge] as number, to[edge] as number];
    neighbours[next[x] as number] = y;
    next[x] = (next[x] as number) + 1;
    neighbours[next[y] as number] = x;
    next[y] = (next[y] as number) + 1;
  }
  const shared = new Uint8Array(size);
  const seen = new Uint32Array(size);
  const counts = new Uint32Array(KIND_NAMES.length);
  for (let node = 0; node < size; node++) {
    // Of those outside not every edge is here; that they are there at all says that they are shared.
    if (graph.inside[node] === 0) {
      shared[node] = 1;
      continue;
    }
    counts.fill(0);
    for (let at = starts[node] as number; at < (starts[node + 1] as number); at++) {
      const neighbour = neighbours[at] as number;
      if (seen[neighbour] === node + 1) continue;
      seen[neighbour] = node + 1;
      const code = kind[neighbour] as number;
      counts[code] = (counts[code] as number) + 1;
      if ((counts[code] as number) > mostOf(kind[node] as number, code)) {
        shared[node] = 1;
        break;
      }
    }
  }
  return shared;
}

/** How many of a kind an identifier may be joined with. */
export function mostOf(kind: number, neighbourKind: number): number {
  const most = KIND_MOST[neighbourKind] as number;
  return kind === IP ? Math.min(most, MOST_AT_HOME) : most;
}

const BLOCKED = 255;
/** Of edges whose ends are one already. */
export const ONE = 254;

/** Level of each edge; 255 of those that join nobody. */
function levelsOf({ kind, from, to, confidence, edges }: Graph, shared: Uint8Array): Uint8Array {
  const levels = new Uint8Array(edges);
  for (let edge = 0; edge < edges; edge++) {
    const [x, y] = [from[edge] as number, to[edge] as number];
    if (shared[x] === 1 || shared[y] === 1) levels[edge] = BLOCKED;
    else if (confidence[edge] === SAME) levels[edge] = ONE;
    else if ((confidence[edge] as number) < CERTAIN_PERCENT) levels[edge] = HOUSEHOLD;
    else levels[edge] = Math.max(KIND_LEVEL[kind[x] as number] as number, KIND_LEVEL[kind[y] as number] as number);
  }
  return levels;
}

function joinAll({ from, to, edges }: Graph, counts: (edge: number) => boolean, union: Union): Union {
  for (let edge = 0; edge < edges; edge++) if (counts(edge)) union.join(from[edge] as number, to[edge] as number);
  return union;
}

/**
 * The groups of the level below, joined by the edges of this one. A group that would be too large is joined by its most certain and
 * oldest edges as far as it goes: what was one stays one when more comes.
 */
function joinLevel(
  graph: Graph,
  levels: Uint8Array,
  level: number,
  below: Union,
  most: number,
  tally: { refused: number },
): Union {
  const union = joinAll(graph, (edge) => levels[edge] === level, Union.of(below));
  const large = new Set<number>();
  for (let node = 0; node < graph.size; node++)
    if (union.parent[node] === node && (union.size[node] as number) > most) large.add(node);
  if (large.size === 0) return union;
  const chosen: number[] = [];
  for (let edge = 0; edge < graph.edges; edge++)
    if (levels[edge] === level && large.has(union.root(graph.from[edge] as number))) chosen.push(edge);
  chosen.sort((x, y) => compareEdges(graph, x, y));
  const members: number[] = [];
  for (let node = 0; node < graph.size; node++) if (large.has(union.root(node))) members.push(node);
  for (const node of members) {
    union.parent[node] = below.parent[node] as number;
    union.size[node] = below.size[node] as number;
  }
  for (const edge of chosen) if (!union.join(graph.from[edge] as number, graph.to[edge] as number, most)) tally.refused++;
  return union;
}

/** Most certain first, then oldest, then by keys. */
function compareEdges({ nodes, from, to, confidence, first }: Graph, x: number, y: number): number {
  const certain = (confidence[y] as number) - (confidence[x] as number);
  if (certain !== 0) return certain;
  const older = (first[x] as number) - (first[y] as number);
  if (older !== 0) return older;
  const [xLow, xHigh] = endsOf(x);
  const [yLow, yHigh] = endsOf(y);
  return nodes.compare(xLow, yLow) || nodes.compare(xHigh, yHigh);

  function endsOf(edge: number): [number, number] {
    const [a, b] = [from[edge] as number, to[edge] as number];
    return nodes.compare(a, b) <= 0 ? [a, b] : [b, a];
  }
}
