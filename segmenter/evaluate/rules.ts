import { algebraOf, EVERYBODY } from '../../dmp/segments/algebra.ts';
import { Binder } from '../../dmp/segments/binder.ts';
import { planOf } from '../../dmp/segments/nodes/plan-of.ts';
import type { Leaf } from '../../dmp/segments/rule.ts';
import { setNamed } from '../../dmp/segments/sets.ts';
import { keptAs } from './current.ts';
import type { Algebra } from './pass.ts';
import { type Current, type Round, stateIn } from './round.ts';
import { membersOf } from './stored.ts';
import { isPlain, scopeFor, type Turn } from './turn.ts';
import type { Want } from './wants.ts';

const REFUSED = 'refused';

/** The rules of turns as algebra of kept sets, which must be of now, and of members of other segments. */
export function algebraFor(round: Round, turns: readonly Turn[]): Algebra {
  const [first] = turns as [Turn];
  const bound = new Binder();
  const compiler = { scope: scopeFor(round.deps.things, first, round.now), bound };
  /** By what they are kept as. */
  const names = new Map<string, string>();
  const isOpposite = ({ key }: Want): boolean => (round.leaves.get(key) as Current).kept.isOpposite;
  const nameOf = (want: Want): string => {
    const kept = keptAs(want.key, isOpposite(want));
    const name = names.get(kept) ?? (typeof want.of === 'string' ? want.of : `l${names.size}`);
    names.set(kept, name);
    return name;
  };
  const segments = new Map<string, string>();
  const segmentNamed = (leaf: Leaf): string => {
    const plan = planOf(leaf, compiler);
    const id = ('units' in plan ? plan.segment : undefined) ?? '';
    const name = segments.get(id) ?? `s${segments.size}`;
    segments.set(id, name);
    return name;
  };
  for (const want of first.common) nameOf(want);
  const hasRefused = first.common.some(({ of }) => of === REFUSED);
  const plain = turns.filter(isPlain).map(({ id, rule, wants }) => {
    const want = wants.get(JSON.stringify(rule)) as Want;
    return { id, kept: keptAs(want.key, isOpposite(want)) };
  });
  const common = first.common.map((want) => ({ of: want.of, kept: keptAs(want.key, isOpposite(want)) }));
  const composed = turns.filter((turn) => !isPlain(turn));
  const rules = composed.map(({ rule, wants }) => {
    const members = algebraOf(rule, (leaf) => {
      const want = wants.get(JSON.stringify(leaf));
      // Who is gone may still be in sets of elsewhere.
      if (want === undefined) return `bitmapAnd(${EVERYBODY}, ${segmentNamed(leaf)})`;
      return want.isAnew ? `bitmapAnd(${EVERYBODY}, ${nameOf(want)})` : setNamed(nameOf(want), isOpposite(want));
    });
    return hasRefused ? `bitmapAndnot(${members}, ${REFUSED})` : members;
  });
  const sets = (wanted: readonly string[]): string => {
    const isWanted = new Set(wanted);
    const leaves = [...names].filter(([, name]) => isWanted.has(name));
    const keys = bound.texts(leaves.map(([kept]) => kept));
    const named = [...segments].filter(([, name]) => isWanted.has(name));
    return [
      `SELECT transform(leaf, ${keys}, ${bound.texts(leaves.map(([, name]) => name))}, '') AS leaf, shard, members
        FROM (SELECT leaf, shard, members FROM leaf_members FINAL WHERE leaf IN ${keys})`,
      ...named.map(([id, name]) => {
        const version = stateIn(round, id)?.version ?? 0;
        return `SELECT '${name}', shard, members FROM (${membersOf(id, version, bound)})`;
      }),
    ].join(' UNION ALL ');
  };
  return {
    ids: composed.map(({ id }) => id),
    plain,
    common,
    rules,
    names: [...names.values(), ...segments.values()],
    sets,
    level: first.level,
    compiler,
  };
}

/** The shards in which anybody is. */
export async function shardsOf({ deps, leaves }: Round, { common }: Turn): Promise<number[]> {
  const kept = common.map(({ key }) => keptAs(key, (leaves.get(key) as Current).kept.isOpposite));
  const sql = 'SELECT DISTINCT shard FROM leaf_members WHERE leaf IN {kept:Array(String)} ORDER BY shard';
  return (await deps.warehouse.query<{ shard: number }>({ sql, params: { kept } })).map(({ shard }) => shard);
}
