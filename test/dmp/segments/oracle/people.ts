import type { Holdout } from '../../../../dmp/segments/nodes/holdout.ts';
import type { Identifiers } from '../../../../dmp/segments/nodes/identifiers.ts';
import type { Lookalike } from '../../../../dmp/segments/nodes/lookalike.ts';
import type { Sample } from '../../../../dmp/segments/nodes/sample.ts';
import { bucketOf, isHeldOut } from '../../../../proto/bucket.ts';
import { type Fact, int, maybe, pick, some, surenessIn, unitKey } from '../../segments-world.ts';
import type { Oracle, Unit } from './leaf.ts';

/** The anchor of the first person of the unit. */
function anchorOf({ facts }: Unit): string {
  return facts
    .filter(({ kind }) => kind === 'person')
    .map(({ item }) => item)
    .sort()[0] as string;
}

export const sample: Oracle<Sample> = {
  random: (random) => {
    const from = int(random, 0, 60);
    return {
      percent: pick(random, [0, 10, 25.5, 40]),
      ...maybe(random, 0.5, { from }),
      ...maybe(random, 0.5, { salt: pick(random, ["it's", 'spring']) }),
    };
  },
  holds: ({ percent, from = 0, salt = 'sample' }, unit) => {
    const slot = bucketOf(anchorOf(unit), salt);
    return slot >= Math.round(from * 100) && slot < Math.round((from + percent) * 100);
  },
};

export const holdout: Oracle<Holdout> = {
  random: (random) => ({ campaign: pick(random, ['cmp_1', 'cmp_1', 'cmp_2']) }),
  holds: ({ campaign }, unit) => {
    const { salt, share } = unit.world.holdouts[campaign] ?? { salt: '', share: 0 };
    return isHeldOut(anchorOf(unit), salt, share);
  },
};

export const identifiers: Oracle<Identifiers> = {
  random: (random) => ({ any: some(random, ['email', 'phone', 'ifa', 'cookie'] as const) }),
  holds: ({ any }, { facts, level, confidence }) =>
    facts.some(({ kind, value, name }) => {
      if (kind !== 'person') return false;
      const isSure = (known: string): boolean => {
        const [, device, person] = name.split(':');
        return !name.startsWith(`${known}:`) || Number(level === 'device' ? device : person) >= 100 * confidence;
      };
      return value.split(',').some((one) => (any as readonly string[]).includes(one) && isSure(one));
    }),
};

export const lookalike: Oracle<Lookalike> = {
  random: (random) => ({
    model: pick(random, ['la_1', 'la_2']),
    ...(random() < 0.5 ? { most: int(random, 1, 4) } : { least: int(random, 0, 4) / 4 }),
  }),
  holds: ({ model, least = 0, most = Number.POSITIVE_INFINITY }, { facts, world }) => {
    const newest = new Map(world.scores.filter((row) => row.model === model).map(({ profile, score }) => [profile, score]));
    const fitting = [...newest].filter(([, score]) => score >= least).sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    const chosen = new Set(fitting.slice(0, most).map(([profile]) => profile));
    return facts.some(({ kind, profile }) => kind === 'person' && chosen.has(profile));
  },
};

export const list: Oracle<string> = {
  random: (random) => pick(random, ['lst_1', 'lst_2']),
  holds: (id, { facts, world, level, confidence }) => {
    const newest = new Map(world.lists.filter((row) => row.list === id).map((row) => [row.identifier, row]));
    const named = [...newest.values()].filter(({ removed, source, identifier }) => {
      const { device_sure, person_sure } = surenessIn(world, identifier);
      const isSure = (level === 'device' ? device_sure : person_sure) >= 100 * confidence;
      return removed === 0 && isSure && !world.withheld.includes(source);
    });
    const keyOf = (fact: Fact): string => unitKey(fact, level, confidence);
    const own = keyOf(facts.find(({ kind }) => kind === 'person') as Fact);
    return world.facts.some((fact) => keyOf(fact) === own && named.some((row) => row.identifier === fact.identifier));
  },
};
