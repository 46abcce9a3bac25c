import { NodeTable } from './node-table.ts';

/** Confidence of an edge whose ends are one identifier under two peppers. */
export const SAME = 255;

/** What the warehouse holds of an identifier. */
export interface Known {
  profile: Uint32Array;
  device: Uint32Array;
  household: Uint32Array;
  cluster: Uint32Array;
  own: Uint32Array;
  kind: Uint8Array;
  shared: Uint8Array;
  /** How surely it belongs to its groups, in percent. */
  sureDevice: Uint8Array;
  surePerson: Uint8Array;
  sureHousehold: Uint8Array;
  /** 1: there is a row. */
  has: Uint8Array;
}

/**
 * Identifiers and what joins them, as arrays of numbers: 65 bytes an identifier (its key and what is known of it) and 13 an edge.
 * An edge may be there several times, once a source.
 */
export class Graph {
  readonly nodes: NodeTable;
  /** Codes of kinds. */
  kind: Uint8Array;
  /** 1: the node is resolved; 0: it is only a neighbour of one that is. */
  inside: Uint8Array;
  known: Known;
  edges = 0;
  from: Uint32Array;
  to: Uint32Array;
  /** 0 to 100, or SAME. */
  confidence: Uint8Array;
  /** Epoch seconds. */
  first: Uint32Array;

  constructor(nodes = 1_024, edges = 1_024) {
    this.nodes = new NodeTable(nodes);
    this.kind = new Uint8Array(nodes);
    this.inside = new Uint8Array(nodes);
    this.known = {
      profile: new Uint32Array(nodes),
      device: new Uint32Array(nodes),
      household: new Uint32Array(nodes),
      cluster: new Uint32Array(nodes),
      own: new Uint32Array(nodes),
      kind: new Uint8Array(nodes),
      shared: new Uint8Array(nodes),
      sureDevice: new Uint8Array(nodes),
      surePerson: new Uint8Array(nodes),
      sureHousehold: new Uint8Array(nodes),
      has: new Uint8Array(nodes),
    };
    this.from = new Uint32Array(edges);
    this.to = new Uint32Array(edges);
    this.confidence = new Uint8Array(edges);
    this.first = new Uint32Array(edges);
  }

  get size(): number {
    return this.nodes.size;
  }

  /** The number of the identifier that begins at `at`. A kind that is known is not lost to one that is not. */
  node(bytes: Buffer, at: number, kind: number): number {
    const node = this.nodes.add(bytes, at);
    if (node >= this.kind.length) this.#growNodes();
    if (kind > (this.kind[node] as number)) this.kind[node] = kind;
    return node;
  }

  edge(from: number, to: number, confidence: number, first: number): void {
    if (this.edges === this.from.length) this.#growEdges();
    const edge = this.edges++;
    this.from[edge] = from;
    this.to[edge] = to;
    this.confidence[edge] = confidence;
    this.first[edge] = first;
  }

  #growNodes(): void {
    const size = this.kind.length * 2;
    this.kind = grown(this.kind, size);
    this.inside = grown(this.inside, size);
    const { profile, device, household, cluster, own, kind, shared, sureDevice, surePerson, sureHousehold, has } = this.known;
    this.known = {
      profile: grown(profile, size),
      device: grown(device, size),
      household: grown(household, size),
      cluster: grown(cluster, size),
      own: grown(own, size),
      kind: grown(kind, size),
      shared: grown(shared, size),
      sureDevice: grown(sureDevice, size),
      surePerson: grown(surePerson, size),
      sureHousehold: grown(sureHousehold, size),
      has: grown(has, size),
    };
  }

  #growEdges(): void {
    const size = this.from.length * 2;
    this.from = grown(this.from, size);
    this.to = grown(this.to, size);
    this.confidence = grown(this.confidence, size);
    this.first = grown(this.first, size);
  }
}

function grown<A extends Uint8Array | Uint32Array>(array: A, size: number): A {
  const larger = new (array.constructor as new (size: number) => A)(size);
  larger.set(array);
  return larger;
}
