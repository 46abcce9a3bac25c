import { segmentsOf } from '../campaigns/segment-rule.ts';
import type { TargetingInput } from '../campaigns/targeting.ts';
import { lookupsOf } from '../destinations/lookup.ts';
import { isForbidden } from '../segments/guards.ts';
import type { Thing, Things } from '../things/things.ts';

/**
 * The segments whose members bidders must know: those that a line item names which is live or will be, or that lookups tell of. Others
 * are evaluated and counted all the same, but a profile value that carried them would only be longer. Of those that are sensitive and not
 * allowed nobody is told who is in them, not even the bidders.
 */
export function segmentsNeeded(things: Things, now: number): ReadonlySet<string> {
  const needed = new Set<string>();
  // A simulated exchange brings its own clock, to which a flight that is over here may be running.
  const over = things.list('exchange').some(({ body }) => body.simulated) ? Number.NEGATIVE_INFINITY : now;
  for (const { body } of things.list('line-item')) {
    const campaign = things.get('campaign', body.campaign)?.body;
    if (campaign === undefined || body.status !== 'active' || campaign.status !== 'active') continue;
    if (Math.min(Date.parse(campaign.end), Date.parse(body.end ?? campaign.end)) <= over) continue;
    for (const id of segmentsIn(body.targeting)) needed.add(id);
  }
  for (const { body } of lookupsOf(things, null)) for (const { segment } of body.segments) needed.add(segment);
  return new Set([...needed].filter((id) => !isForbidden(things, id)));
}

function segmentsIn({ segments = [], excludedSegments = [], segmentRule }: TargetingInput): string[] {
  const inRule = segmentRule === undefined ? [] : segmentsOf(segmentRule, '').map(({ id }) => id);
  return [...segments.flat(), ...excludedSegments, ...inRule];
}

/** Number of each segment that is needed, by id. */
export function numbersNeeded(things: Things, now: number): ReadonlyMap<string, number> {
  const needed = segmentsNeeded(things, now);
  const found = [...needed].map((id) => things.get('segment', id)).filter((thing): thing is Thing<never> => thing !== undefined);
  return new Map(found.map((thing) => [thing.id, (thing.body as { readonly number: number }).number]));
}
