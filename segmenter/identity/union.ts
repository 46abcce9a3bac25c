/** Disjoint sets of numbers (union by size, path halving): Tarjan, 1975. 8 bytes a number. */
export class Union {
  readonly parent: Uint32Array;
  readonly size: Uint32Array;

  constructor(size: number) {
    this.parent = new Uint32Array(size);
    this.size = new Uint32Array(size).fill(1);
    for (let node = 0; node < size; node++) this.parent[node] = node;
  }

  static of(other: Union): Union {
    const union = new Union(0);
    return Object.assign(union, { parent: other.parent.slice(), size: other.size.slice() });
  }

  root(node: number): number {
    const parent = this.parent;
    let at = node;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at] as number] as number;
      at = parent[at] as number;
    }
    return at;
  }

  /** Joins what is one and the same: it counts as one. Before any other join. */
  same(x: number, y: number): void {
    const [a, b] = [this.root(x), this.root(y)];
    if (a !== b) this.parent[b] = a;
  }

  join(x: number, y: number, most = Number.POSITIVE_INFINITY): boolean {
    let [a, b] = [this.root(x), this.root(y)];
    if (a === b) return true;
    const size = (this.size[a] as number) + (this.size[b] as number);
    if (size > most) return false;
    if ((this.size[a] as number) < (this.size[b] as number)) [a, b] = [b, a];
    this.parent[b] = a;
    this.size[a] = size;
    return true;
  }
}
