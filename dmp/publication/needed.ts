import type { Warehouse } from '../clickhouse/warehouse.ts';
import { segmentsOffered } from '../destinations/offers.ts';
import { type Guards, heldBack, isForbidden, minimumOf, readGuards, segmentsWanted } from '../segments/guards.ts';
import { percentOf } from '../segments/unit.ts';
import { segmentsOf } from '../sources/lineage.ts';
import type { Thing, Things } from '../things/things.ts';

/** What the guard rails keep from being used as things stand. */
export interface Held {
  /** Ids of line items. */
  readonly lineItems: ReadonlySet<string>;
  /** Segments that no page is told of, too small ones among them. */
  readonly untold: ReadonlySet<string>;
}

const NOTHING_HELD: Held = { lineItems: new Set(), untold: new Set() };

export async function readHeld(warehouse: Warehouse, things: Things): Promise<Held> {
  const offered = segmentsOffered(things);
  const use = { purpose: 'personalised_ads', destination: 'lookup' } as const;
  const [lineItems, guards] = await Promise.all([heldBack(warehouse, things), readGuards(warehouse, things, offered, use)]);
  return { lineItems, untold: new Set(offered.filter((id) => guards.of(id).state === 'refused')) };
}

/**
 * The segments whose members bidders must know: those that a line item names which is live or will be and is not held back, or that
 * lookups tell of. Others are evaluated and counted all the same, but a profile value that carried them would only be longer. Of those that
 * are sensitive and not allowed nobody is told who is in them, not even the bidders.
 */
export function segmentsNeeded(things: Things, now: number, held: Held = NOTHING_HELD): ReadonlySet<string> {
  return new Set([...segmentsNamed(things, now, held)].filter((id) => !isForbidden(things, id)));
}

/** As `segmentsNeeded`, those that are forbidden with them. */
export function segmentsNamed(things: Things, now: number, held: Held = NOTHING_HELD): ReadonlySet<string> {
  const named = new Set<string>();
  for (const { id: lineItem, body } of lineItemsLive(things, now))
    if (!held.lineItems.has(lineItem)) for (const id of segmentsOf(body)) named.add(id);
  for (const id of segmentsOffered(things)) if (!held.untold.has(id)) named.add(id);
  return named;
}

/**
 * Of the segments that are needed, those that events may add to: who enters a segment between two evaluations must not be one of a few. A
 * segment that somebody is left out by may be small.
 */
export async function segmentsStreamed(
  { warehouse, things }: { readonly warehouse: Warehouse; readonly things: Things },
  now: number,
): Promise<ReadonlySet<string>> {
  const held = await readHeld(warehouse, things);
  const needed = [...segmentsNeeded(things, now, held)];
  const guards = await readGuards(warehouse, things, needed);
  const left = leftOut(things, now, held);
  return new Set(needed.filter((id) => left.has(id) || isLarge(things, guards, id)));
}

/** Of one that was not evaluated yet, or is empty, that is known only where one person is enough. */
function isLarge(things: Things, guards: Guards, id: string): boolean {
  const { state } = guards.of(id);
  return state === 'ready' || (state === 'pending' && minimumOf(things, id) <= 1);
}

/** Segments by which a line item leaves people out, and picks none. */
function leftOut(things: Things, now: number, held: Held): Set<string> {
  const left = new Set<string>();
  for (const { id: lineItem, body } of lineItemsLive(things, now)) {
    if (held.lineItems.has(lineItem)) continue;
    const wanted = segmentsWanted(body);
    for (const id of segmentsOf(body)) if (!wanted.includes(id)) left.add(id);
  }
  return left;
}

function lineItemsLive(things: Things, now: number) {
  // A simulated exchange brings its own clock, to which a flight that is over here may be running.
  const over = things.list('exchange').some(({ body }) => body.simulated) ? Number.NEGATIVE_INFINITY : now;
  return things.list('line-item').filter(({ body }) => {
    const campaign = things.get('campaign', body.campaign)?.body;
    if (campaign === undefined || body.status !== 'active' || campaign.status !== 'active') return false;
    return Math.min(Date.parse(campaign.end), Date.parse(body.end ?? campaign.end)) > over;
  });
}

/** How surely an identifier must be the person's to carry a segment, in percent, of those that ask for it. */
export function suresOf(things: Things, segments: Iterable<string>): ReadonlyMap<string, number> {
  const asked = [...segments].map((id) => [id, percentOf(things.get('segment', id)?.body.confidence)] as const);
  return new Map(asked.filter(([, sure]) => sure > 0));
}

/** Number of each segment that is needed, by id. */
export function numbersNeeded(things: Things, now: number, held: Held = NOTHING_HELD): ReadonlyMap<string, number> {
  const needed = segmentsNeeded(things, now, held);
  const found = [...needed].map((id) => things.get('segment', id)).filter((thing): thing is Thing<never> => thing !== undefined);
  return new Map(found.map((thing) => [thing.id, (thing.body as { readonly number: number }).number]));
}
