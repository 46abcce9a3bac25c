import { pick, SEGMENTS } from '../../segments-world.ts';
import type { Oracle } from './leaf.ts';

export const segment: Oracle<string> = {
  random: (random) => pick(random, SEGMENTS),
  holds: (id, { facts, world }) => {
    const profiles = new Set(facts.filter(({ kind }) => kind === 'person').map(({ profile }) => profile));
    return [...profiles].some((profile) => world.segments[id]?.findLast((row) => row.profile === profile)?.status === 1);
  },
};
