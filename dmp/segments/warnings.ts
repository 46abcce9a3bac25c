import type { Fault } from '../problem.ts';
import { RATES_ID } from '../rates/rates.ts';
import { maySeeSource } from '../sources/access.ts';
import type { Things } from '../things/things.ts';
import { currencyOf } from './advertiser-scope.ts';
import { checkRule } from './check.ts';
import type { Rule } from './rule.ts';

interface About {
  readonly things: Things;
  readonly advertiser: string | null;
}

/**
 * What somebody should know of a stored rule, which is evaluated all the same: it names what there is no more, or asks for money of which
 * some comes in a currency without a rate.
 */
export function warningsOf(rule: Rule, about: About): Fault[] {
  const { things, advertiser } = about;
  return [...checkRule(rule, { ...about, self: null }), ...moneyWarnings(rule, '/rule', about, currencyOf(things, advertiser))];
}

const MONEY = ['sum', 'mean', 'smallest', 'largest', 'price'];

function moneyWarnings(part: unknown, pointer: string, about: About, usual: string | null): Fault[] {
  if (typeof part !== 'object' || part === null) return [];
  const members = part as Readonly<Record<string, unknown>>;
  const below = Object.entries(members).flatMap(([name, value]) => moneyWarnings(value, `${pointer}/${name}`, about, usual));
  if (!MONEY.some((name) => Object.hasOwn(members, name))) return below;
  const wanted = typeof members['currency'] === 'string' ? members['currency'] : usual;
  const lost = sourcesWithoutRate(about, wanted, members['sources']);
  if (lost.length === 0) return below;
  const message = `no rate is published between ${wanted} and the currency of ${lost.join(', ')}: their money does not count`;
  return [...below, { pointer: `${pointer}/currency`, code: 'no_rate', message }];
}

/** Sources that count for the advertiser: of others it may not know. */
function sourcesWithoutRate({ things, advertiser }: About, wanted: string | null, named: unknown): string[] {
  const perUsd: Readonly<Record<string, number>> = { ...things.get('rates', RATES_ID)?.body.perUsd, USD: 1 };
  const hasRate = (currency: string): boolean => Object.hasOwn(perUsd, currency);
  return things
    .list('source')
    .filter((source) => maySeeSource(source, advertiser) && (!Array.isArray(named) || named.includes(source.id)))
    .filter(({ body }) => body.currency !== wanted && !(wanted !== null && hasRate(wanted) && hasRate(body.currency)))
    .map(({ id }) => id);
}
