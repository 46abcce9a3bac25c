import { COMMON_GENERATION, MOST_PEPPERS, tenantRing } from '../../proto/pepper.ts';
import type { KeptAdvertiser } from '../advertisers/advertiser.ts';
import type { DmpDeps } from '../deps.ts';
import { namespaceOf, type Source } from '../sources/source.ts';

/** Under which peppers what a source brings is keyed; each is a ring. Can be sent to another thread. */
export interface Peppers {
  /** Of who holds the source: facts and refused rows name people under it, and numbers that only the holder gives are keyed by it. */
  readonly own: string;
  /** The installation's: under it a bid names people, and parties meet. The same as `own` where the operator holds the source. */
  readonly common: string;
  /** The holder's people do not meet those of others: all but what a bid names them by is its own. */
  readonly apart: boolean;
  /** The numbers of the source's namespace are given by a source of another holder too. */
  readonly numbersMeet: boolean;
}

export type TenantDeps = Pick<DmpDeps, 'pepper' | 'things'>;

/** Where there is one holder and one pepper. */
export function commonPeppers(pepper: string): Peppers {
  return { own: pepper, common: pepper, apart: false, numbersMeet: true };
}

/** Generations of a tenant's pepper that are honoured, the newest first. */
export function generationsOf(tenant: KeptAdvertiser | undefined): readonly number[] {
  return tenant?.peppers ?? [COMMON_GENERATION];
}

/** @param tenant id of an advertiser; null: the operator */
export function peppersOf({ pepper, things }: TenantDeps, tenant: string | null, namespace = ''): Peppers {
  const body = tenant === null ? undefined : things.get('advertiser', tenant)?.body;
  const own = tenant === null ? pepper : tenantRing(pepper, tenant, generationsOf(body));
  if (own === pepper) return commonPeppers(pepper);
  // A network of shops and its operator may number one club's members together.
  const numbersMeet = things
    .list('source')
    .some(({ body: source }) => namespaceOf(source) === namespace && (source.advertiser ?? null) !== tenant);
  return { own, common: pepper, apart: body?.apart === true, numbersMeet };
}

export function peppersOfSource(deps: TenantDeps, contract: Source | undefined): Peppers {
  return peppersOf(deps, contract?.advertiser ?? null, namespaceOf(contract));
}

export const PEPPER_ACTS = ['rotate', 'retire', 'honour'] as const;
export type PepperAct = (typeof PEPPER_ACTS)[number];

/**
 * The generations that are honoured after an act; the same where it was done already, so that it can be asked for again. Null: it cannot be
 * done, since another generation is at that place, or too many are honoured.
 *
 * @param generation that becomes the current one, is forgotten (the oldest), or is honoured again (older than all)
 * @param first that there ever was: what was never used would name facts anew
 */
export function generationsAfter(
  act: PepperAct,
  generation: number,
  honoured: readonly number[],
  first: number = COMMON_GENERATION,
): readonly number[] | null {
  const [newest = COMMON_GENERATION] = honoured;
  const oldest = honoured.at(-1) ?? COMMON_GENERATION;
  const isFull = honoured.length >= MOST_PEPPERS;
  switch (act) {
    case 'rotate':
      if (generation === newest) return honoured;
      return generation === newest + 1 && !isFull ? [generation, ...honoured] : null;
    case 'retire':
      if (generation < oldest) return honoured;
      return generation === oldest && honoured.length > 1 ? honoured.slice(0, -1) : null;
    case 'honour':
      if (honoured.includes(generation)) return honoured;
      return generation < oldest && generation >= first && !isFull ? [...honoured, generation] : null;
  }
}
