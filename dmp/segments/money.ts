import type { Compiler } from './plan.ts';

export interface Money {
  /** Micros of a line in the rule's currency; 0 where there is no rate. */
  readonly amount: string;
  /** Whether the line has a price in a currency that can be compared. */
  readonly known: string;
}

/** Amounts of different currencies are never added: they are converted by the rates that hold now, to the micro. */
export function moneyIn(currency: string | undefined, { scope, bound }: Compiler): Money {
  const wanted = currency ?? (scope.currency === undefined ? 'USD' : (scope.currency ?? ''));
  const own = `currency = ${bound.add('String', wanted)}`;
  const perUsd: Readonly<Record<string, number>> = { ...scope.perUsd, USD: 1 };
  const to = Object.hasOwn(perUsd, wanted) ? perUsd[wanted] : undefined;
  const others = to === undefined ? [] : Object.entries(perUsd).filter(([from]) => from !== wanted);
  if (to === undefined || others.length === 0) return { amount: `if(${own}, amount, 0)`, known: own };
  const codes = bound.texts(others.map(([from]) => from));
  const factors = bound.add(
    'Array(Float64)',
    others.map(([, rate]) => to / rate),
  );
  return {
    amount: `if(${own}, amount, toInt64(floor(amount * transform(toString(currency), ${codes}, ${factors}, 0.) + 0.5)))`,
    known: `(${own} OR currency IN ${codes})`,
  };
}
