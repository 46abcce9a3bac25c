import { type TSchema, Type } from 'typebox';
import type { EventKind } from './event.ts';
import type { Language, NodeCheck } from './node.ts';
import { acted } from './nodes/actions.ts';
import { clicked, saw } from './nodes/exposures.ts';
import { viewed } from './nodes/pages.ts';
import { purchased } from './nodes/purchases.ts';
import { redeemed } from './nodes/redemptions.ts';
import { visited } from './nodes/visits.ts';
import type { Compiler } from './plan.ts';

/** What people do, by the word that a rule has for it. */
const EVENTS = {
  saw,
  clicked,
  visited,
  bought: purchased,
  redeemed,
  viewed,
  did: acted,
} as const;
export type EventName = keyof typeof EVENTS;
export const EVENT_NAMES = Object.keys(EVENTS) as EventName[];

type FiltersOf<Kind> = Kind extends EventKind<infer Filters> ? Filters : never;
export type Filters = { readonly [Name in EventName]: FiltersOf<(typeof EVENTS)[Name]> };

/** One of them, with its filters: `{ "visited": { "stores": ["st_1"] } }`. */
export type Event = { readonly [Name in EventName]?: Filters[Name] };

/** All filters of an event, none of which need be there. */
export function filtersOf<Name extends EventName>(name: Name) {
  const fields = Object.entries(EVENTS[name].fields).map(([field, schema]) => [field, Type.Optional(schema)] as const);
  return Type.Unsafe<Filters[Name]>(Type.Object(Object.fromEntries(fields), { additionalProperties: false }));
}

/** The members of an object that names an event. */
export function eventFields(): { readonly [Name in EventName]: ReturnType<typeof Type.Optional<TSchema>> } {
  return Object.fromEntries(EVENT_NAMES.map((name) => [name, Type.Optional(filtersOf(name))])) as never;
}

export const event = (description: string) =>
  Type.Unsafe<Event>(
    Type.Object(eventFields(), {
      additionalProperties: false,
      description: `${description}: one of ${EVENT_NAMES.join(', ')}, with its filters`,
    }),
  );

/** Its name and filters. A checked rule has one. */
function theOne(given: Event): { readonly name: EventName; readonly kind: EventKind<object>; readonly filters: object } {
  const name = EVENT_NAMES.find((one) => given[one] !== undefined);
  if (name === undefined) throw new Error(`no event: ${JSON.stringify(given)}`);
  return { name, kind: EVENTS[name] as EventKind<object>, filters: given[name] as object };
}

export function eventName(given: Event): EventName {
  return theOne(given).name;
}

/** The condition over `facts` that it is. */
export function eventRows(given: Event, compiler: Compiler): string {
  const { kind, filters } = theOne(given);
  return kind.rows(filters, compiler);
}

export function checkEvent(given: Event | undefined, pointer: string, check: NodeCheck): undefined {
  if (given === undefined) return;
  const names = EVENT_NAMES.filter((name) => given[name] !== undefined);
  if (names.length === 0) return check.fault(pointer, 'too_few_properties', `needs one of ${EVENT_NAMES.join(', ')}`);
  if (names.length > 1) return check.fault(pointer, 'too_many_properties', `has one of ${names.join(' and ')}, not both`);
  const { name, kind, filters } = theOne(given);
  kind.check(filters, `${pointer}/${name}`, check);
}

/** "bought milk", «покупали молоко» */
export function eventWords(given: Event, language: Language): string {
  const { kind, filters } = theOne(given);
  return kind.words(filters, language);
}
