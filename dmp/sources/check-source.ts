import type { NounContext } from '../http/noun.ts';
import { referenceFault, referenceFaults } from '../http/references.ts';
import { timeZoneFaults } from '../http/time-zone.ts';
import type { Fault } from '../problem.ts';
import type { Price, SourceInput } from './source.ts';

export function checkSource(input: SourceInput, { deps: { things } }: NounContext<'source'>): Fault[] {
  const { timeZone, advertiser, advertisers, price } = input;
  return [
    ...timeZoneFaults(timeZone, '/timeZone'),
    ...(advertiser === null ? [] : referenceFault(things, 'advertiser', advertiser, '/advertiser', null)),
    ...referenceFaults(things, 'advertiser', advertisers ?? [], '/advertisers', null),
    ...(price === null ? [] : priceFaults(price)),
  ];
}

function priceFaults(price: Price): Fault[] {
  const [needed, other] = price.model === 'share' ? (['percent', 'micros'] as const) : (['micros', 'percent'] as const);
  const faults: Fault[] = [];
  if (price[needed] === undefined) faults.push({ pointer: `/price/${needed}`, code: 'required', message: 'is missing' });
  if (price[other] !== undefined)
    faults.push({ pointer: `/price/${other}`, code: 'unknown_property', message: `is not of the model ${price.model}` });
  return faults;
}
