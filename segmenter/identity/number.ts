import { KIND_NAMES, KIND_TERMS } from '../../dmp/identity/kinds.ts';
import type { Graph } from './graph.ts';
import type { Groups } from './resolve.ts';
import type { Union } from './union.ts';

/** Ids of the groups that each node is in. */
export interface Numbers {
  readonly profile: Uint32Array;
  /** 0: the node is no device's. */
  readonly device: Uint32Array;
  readonly household: Uint32Array;
  readonly cluster: Uint32Array;
  readonly own: Uint32Array;
  /** Greatest id ever given. */
  readonly greatest: number;
  /** Profiles that are new. */
  readonly made: number;
}

const IS_DEVICE = Uint8Array.from(KIND_NAMES, (kind) => (KIND_TERMS[kind].level === 'device' ? 1 : 0));
/** What bid requests name people by comes first: it is what the bidder would take for an anchor of somebody unknown. */
const PREFERENCE: readonly string[] = ['ifa', 'exchange', 'cookie', ''];
const RANK = Uint8Array.from(KIND_NAMES, (kind) => {
  const place = PREFERENCE.indexOf(kind);
  return place === -1 ? PREFERENCE.length : place;
});
const NONE = 0xffffffff;

/**
 * Numbers the groups. An id is made for an identifier, the anchor, and stays its own for good; a group has the least of its
 * members' own ids. So of two that turn out to be one the older id stays, and when they part again each has the one it had.
 */
export function numberGroups(graph: Graph, groups: Groups, greatest: number): Numbers {
  const own = graph.known.own.slice(0, graph.size);
  const allocated = { greatest };
  const isDevice = (node: number): boolean => IS_DEVICE[graph.kind[node] as number] === 1;
  const device = numbered(graph, groups.device, own, allocated, isDevice);
  const before = allocated.greatest;
  const profile = numbered(graph, groups.person, own, allocated, () => true);
  let made = 0;
  for (let node = 0; node < graph.size; node++) {
    const id = own[node] as number;
    if (id > greatest && profile[node] === id && graph.inside[node] === 1) made++;
  }
  const household = leastOf(graph, groups.household, profile);
  const cluster = leastOf(graph, groups.cluster, profile);
  return { profile, device, household, cluster, own, greatest: Math.max(before, allocated.greatest), made };
}

/** Of each node the least own id in its group, or a new one that its anchor is given; 0 of those that do not count. */
function numbered(
  graph: Graph,
  union: Union,
  own: Uint32Array,
  allocated: { greatest: number },
  counts: (node: number) => boolean,
): Uint32Array {
  const { size, inside } = graph;
  const least = new Uint32Array(size);
  const anchors = new Uint32Array(size).fill(NONE);
  for (let node = 0; node < size; node++) {
    if (inside[node] === 0 || !counts(node)) continue;
    const root = union.root(node);
    const id = own[node] as number;
    if (id !== 0 && (least[root] === 0 || id < (least[root] as number))) least[root] = id;
    if (anchors[root] === NONE || isBetter(graph, node, anchors[root] as number)) anchors[root] = node;
  }
  const ids = new Uint32Array(size);
  for (let node = 0; node < size; node++) {
    if (inside[node] === 0 || !counts(node)) continue;
    const root = union.root(node);
    if (least[root] === 0) {
      least[root] = ++allocated.greatest;
      own[anchors[root] as number] = least[root] as number;
    }
    ids[node] = least[root] as number;
  }
  return ids;
}

function isBetter(graph: Graph, node: number, other: number): boolean {
  const rank = (RANK[graph.kind[node] as number] as number) - (RANK[graph.kind[other] as number] as number);
  return rank === 0 ? graph.nodes.compare(node, other) < 0 : rank < 0;
}

function leastOf({ size, inside }: Graph, union: Union, profile: Uint32Array): Uint32Array {
  const least = new Uint32Array(size);
  for (let node = 0; node < size; node++) {
    const root = union.root(node);
    const id = profile[node] as number;
    if (inside[node] === 1 && (least[root] === 0 || id < (least[root] as number))) least[root] = id;
  }
  const ids = new Uint32Array(size);
  for (let node = 0; node < size; node++) ids[node] = least[union.root(node)] as number;
  return ids;
}
