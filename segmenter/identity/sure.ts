import type { Graph } from './graph.ts';
import type { Numbers } from './number.ts';
import { DEVICE, type Groups, HOUSEHOLD, ONE, PERSON } from './resolve.ts';
import { Union } from './union.ts';

/** How surely each node belongs to its groups, in percent. */
export interface Sureness {
  /** To the device, and with it to the person. */
  readonly device: Uint8Array;
  readonly person: Uint8Array;
  /** Of all nodes of a person the same. */
  readonly household: Uint8Array;
}

/** Of edges nobody doubts. */
const CERTAIN_PERCENT = 100;

/**
 * If only edges that are at least so sure counted, a group would fall apart. Its core is what remains of it: the part with the most
 * identifiers, of equal parts the one with the anchor; of a household the part with the person whose id it has. A node belongs to the
 * group as surely as the surest edges do by which it hangs together with the core.
 */
export function surenessOf(graph: Graph, { device, person, household, levels }: Groups, numbers: Numbers): Sureness {
  const { own, profile } = numbers;
  const within = (level: number) => (edge: number) => (levels[edge] as number) <= level || levels[edge] === ONE;
  const alone = new Union(graph.size);
  const ofPerson = joined(graph, alone, person, within(PERSON), (node) => (own[node] === profile[node] ? 3 : 2));
  const ofDevice = joined(graph, alone, device, within(DEVICE), (node) => (own[node] === numbers.device[node] ? 3 : 2));
  return {
    device: ofDevice.map((sure, node) => Math.min(sure, ofPerson[node] as number)),
    person: ofPerson,
    household: joined(graph, person, household, within(HOUSEHOLD), (node) => (profile[node] === numbers.household[node] ? 1 : 0)),
  };
}

/** @param whole what is one already; @param groups: edges between two of them do not count */
function joined(
  graph: Graph,
  whole: Union,
  groups: Union,
  counts: (edge: number) => boolean,
  weightOf: (node: number) => number,
): Uint8Array {
  const sure = new Uint8Array(graph.size).fill(CERTAIN_PERCENT);
  const union = Union.of(whole);
  const unsure = joinCertain(graph, union, groups, counts);
  if (unsure.length === 0) return sure;
  const parts = partsOf(graph, union, weightOf);
  for (let start = 0, end = 0; start < unsure.length; start = end) {
    const percent = graph.confidence[unsure[start] as number] as number;
    while (end < unsure.length && graph.confidence[unsure[end] as number] === percent) end++;
    meet(graph, union, parts, unsure.subarray(start, end), percent, sure);
  }
  return sure;
}

/** Joins what nobody doubts; returns the other edges, the surest first. */
function joinCertain(graph: Graph, union: Union, groups: Union, counts: (edge: number) => boolean): Uint32Array {
  const { edges, from, to, confidence } = graph;
  const isWithin = (edge: number): boolean =>
    counts(edge) && groups.root(from[edge] as number) === groups.root(to[edge] as number);
  // A counting sort: edges are millions, and there are a hundred confidences.
  const ends = new Uint32Array(CERTAIN_PERCENT + 1);
  for (let edge = 0; edge < edges; edge++) {
    if (!isWithin(edge)) continue;
    const doubt = CERTAIN_PERCENT - (confidence[edge] as number);
    if (doubt <= 0) union.join(from[edge] as number, to[edge] as number);
    else ends[doubt] = (ends[doubt] as number) + 1;
  }
  for (let doubt = 1; doubt <= CERTAIN_PERCENT; doubt++) ends[doubt] = (ends[doubt] as number) + (ends[doubt - 1] as number);
  const unsure = new Uint32Array(ends[CERTAIN_PERCENT] as number);
  for (let edge = 0; edge < edges && unsure.length > 0; edge++) {
    const doubt = CERTAIN_PERCENT - (confidence[edge] as number);
    if (doubt <= 0 || !isWithin(edge)) continue;
    ends[doubt] = (ends[doubt] as number) - 1;
    unsure[ends[doubt] as number] = edge;
  }
  return unsure;
}

/** What hangs together by the edges so far, by the root of each part. */
interface Parts {
  /** The nodes of a part as a ring: each one's next. */
  readonly next: Uint32Array;
  readonly weight: Uint32Array;
  /** The node with the least key: of two parts of one weight the same is always taken. */
  readonly least: Uint32Array;
  /** Of parts that met, the one that is the core of all of them, by their common root. */
  readonly core: Uint32Array;
  /** The confidence at which a part met others last. */
  readonly met: Uint8Array;
}

function partsOf({ size, nodes }: Graph, union: Union, weightOf: (node: number) => number): Parts {
  const array = (): Uint32Array => new Uint32Array(size);
  const parts = { next: array(), weight: array(), least: array(), core: array(), met: new Uint8Array(size).fill(NEVER) };
  for (let node = 0; node < size; node++) {
    parts.next[node] = node;
    parts.least[node] = node;
  }
  for (let node = 0; node < size; node++) {
    const root = union.root(node);
    parts.weight[root] = (parts.weight[root] as number) + weightOf(node);
    if (root !== node) link(parts.next, root, node);
    if (nodes.compare(node, parts.least[root] as number) < 0) parts.least[root] = node;
  }
  return parts;
}

const NEVER = 255;

/** Makes one ring of two. */
function link(next: Uint32Array, a: number, b: number): void {
  [next[a], next[b]] = [next[b] as number, next[a] as number];
}

/** Joins by edges that are equally sure, all at once: of the parts that meet, all but the heaviest are no surer than these edges. */
function meet(graph: Graph, union: Union, parts: Parts, edges: Uint32Array, percent: number, sure: Uint8Array): void {
  const { next, weight, least, core } = parts;
  const before = rootsOf(graph, union, parts, edges, percent);
  for (const edge of edges) union.join(graph.from[edge] as number, graph.to[edge] as number);
  for (const part of before) core[union.root(part)] = part;
  for (const part of before) {
    const root = union.root(part);
    if (isHeavier(graph, parts, part, core[root] as number)) core[root] = part;
  }
  for (const part of before) {
    if (core[union.root(part)] === part) continue;
    let node = part;
    do {
      sure[node] = percent;
      node = next[node] as number;
    } while (node !== part);
  }
  for (const part of before) {
    const root = union.root(part);
    if (root === part) continue;
    link(next, root, part);
    weight[root] = (weight[root] as number) + (weight[part] as number);
    if (graph.nodes.compare(least[part] as number, least[root] as number) < 0) least[root] = least[part] as number;
  }
}

/** The parts that edges join, each once. */
function rootsOf({ from, to }: Graph, union: Union, { met }: Parts, edges: Uint32Array, percent: number): Uint32Array {
  const roots = new Uint32Array(edges.length * 2);
  let count = 0;
  for (const edge of edges)
    for (const node of [from[edge] as number, to[edge] as number]) {
      const root = union.root(node);
      if (met[root] === percent) continue;
      met[root] = percent;
      roots[count++] = root;
    }
  return roots.subarray(0, count);
}

function isHeavier({ nodes }: Graph, { weight, least }: Parts, part: number, other: number): boolean {
  const more = (weight[part] as number) - (weight[other] as number);
  return more === 0 ? nodes.compare(least[part] as number, least[other] as number) < 0 : more > 0;
}
