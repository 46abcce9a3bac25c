import type { Level } from '../identity/kinds.ts';
import type { Leaf, Rule } from '../segments/rule.ts';

/**
 * Whether a rule can be answered as events arrive: where one more event can only bring people in, and what must be known of those
 * before it is a counter. Decided from the rule alone.
 */
export type Streaming = { readonly streams: true } | { readonly streams: false; readonly why: string };

const YES: Streaming = { streams: true };
const no = (why: string): Streaming => ({ streams: false, why });

/** What a leaf may have beside its measures to be looked at in one event. */
const FILTERS: Readonly<Record<string, readonly string[]>> = {
  purchases: [
    ...['stores', 'storeGroups', 'near', 'products', 'departments', 'categories', 'under', 'brands', 'channel', 'sources'],
  ],
  redemptions: ['coupons', 'promotions', 'sources'],
  pages: ['urlContains', 'sources'],
  actions: ['names', 'items', 'values', 'stores', 'storeGroups', 'near', 'sources'],
  exposures: ['campaigns', 'lineItems', 'creatives'],
  near: ['stores', 'storeGroups', 'geofences', 'rivals', 'metres', 'hours'],
  visits: ['stores', 'storeGroups', 'near', 'geofences', 'rivals', 'minDwellSeconds', 'sources'],
};

const MEASURES: readonly string[] = ['count', 'clicks', 'last', 'window'];
/** A counter remembers so many events of a person. */
export const MOST_COUNTED = 20;

export function streamingOf(rule: Rule, level: Level = 'person', confidence = 0): Streaming {
  if (level !== 'person') return no('people are counted together by device or household');
  if (confidence > 0) return no('how surely an identifier is somebody’s is known to an evaluation only');
  return ofNode(rule, '');
}

function ofNode(rule: Rule, pointer: string): Streaming {
  if ('not' in rule) return no(`${pointer}/not: an event that did not come cannot be waited for`);
  const group = 'all' in rule ? (['all', rule.all] as const) : 'any' in rule ? (['any', rule.any] as const) : null;
  if (group === null) return ofLeaf(rule as Leaf, pointer);
  const [name, parts] = group;
  for (const [index, part] of parts.entries()) {
    const found = ofNode(part, `${pointer}/${name}/${index}`);
    if (!found.streams) return found;
  }
  return YES;
}

function ofLeaf(leaf: Leaf, pointer: string): Streaming {
  const [kind, body] = Object.entries(leaf)[0] as [string, unknown];
  const at = `${pointer}/${kind}`;
  const filters = FILTERS[kind];
  if (filters === undefined) return no(`${at}: needs more than the event itself`);
  const given = Object.entries(body as Record<string, unknown>);
  for (const [name] of given)
    if (!filters.includes(name) && !MEASURES.includes(name)) return no(`${at}/${name}: needs the person's history or local time`);
  const { count, clicks, last } = body as Measures;
  for (const [name, bounds] of Object.entries({ count, clicks })) {
    if (bounds?.max !== undefined) return no(`${at}/${name}/max: one more event could end it`);
    if ((bounds?.min ?? 1) > MOST_COUNTED)
      return no(`${at}/${name}/min: more than ${MOST_COUNTED} events are not counted as they arrive`);
    if ((bounds?.min ?? 1) <= 0) return no(`${at}/${name}/min: holds without any event`);
  }
  if (clicks !== undefined && (count !== undefined || last !== undefined)) return no(`${at}: looks at two kinds of events`);
  if (last?.min !== undefined) return no(`${at}/last/min: one more event could end it`);
  return YES;
}

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}
interface Measures {
  readonly count?: Bounds;
  readonly clicks?: Bounds;
  readonly last?: Bounds;
}
