import { segmentsOf as segmentsOfRule } from '../campaigns/segment-rule.ts';
import { referencesOf } from '../segments/check.ts';
import type { EventName } from '../segments/events.ts';
import type { LeafName, Rule } from '../segments/rule.ts';
import type { Segment } from '../segments/segment.ts';
import type { ThingBodies } from '../things/things.ts';
import { mayUse } from './access.ts';
import type { SourceKind } from './source.ts';

/** Things at some moment, by id: those of now, or as they were. */
export interface Moment {
  get<K extends 'segment' | 'source' | 'line-item'>(kind: K, id: string): ThingBodies[K] | undefined;
  /** Ids of all sources that there are. */
  sources(): readonly string[];
  /** Whether the source has brought rows of the kind by then. */
  holds(source: string, kind: SourceKind): boolean;
}

/** A source that something stands on, by the kinds of its rows that count, and the segments that ask for them. */
export interface Standing {
  readonly source: string;
  readonly kinds: readonly SourceKind[];
  readonly segments: readonly string[];
  /** False: the contract does not let it be used (any more), so that its rows do not count. */
  readonly used: boolean;
}

interface Leaf {
  readonly kind: SourceKind;
  /** The sources that the rule names; null: any. */
  readonly sources: readonly string[] | null;
}

/** The kinds of rows that a leaf looks at whatever its members are. Those of the events that it names are found in it. */
const KINDS_OF: { readonly [K in LeafName]?: readonly SourceKind[] } = {
  purchases: ['purchase'],
  visits: ['ping'],
  redemptions: ['redemption'],
  pages: ['page'],
  actions: ['action'],
  attribute: ['identify'],
  rfm: ['purchase'],
  rhythm: ['purchase'],
  showrooming: ['purchase', 'ping'],
};

/** Ads are the bidder's own facts. */
const KIND_OF_EVENT: Readonly<Record<EventName, SourceKind | null>> = {
  saw: null,
  clicked: null,
  visited: 'ping',
  bought: 'purchase',
  redeemed: 'redemption',
  viewed: 'page',
  did: 'action',
};

/** The kinds of rows that a rule looks at. */
function leavesOf(rule: Rule): Leaf[] {
  if ('all' in rule) return rule.all.flatMap(leavesOf);
  if ('any' in rule) return rule.any.flatMap(leavesOf);
  if ('not' in rule) return leavesOf(rule.not);
  return Object.entries(rule).flatMap(([name, body]) => [
    ...(KINDS_OF[name as LeafName] ?? []).map((kind) => ({ kind, sources: sourcesIn(body) })),
    ...eventsIn(body),
  ]);
}

function eventsIn(part: unknown): Leaf[] {
  if (typeof part !== 'object' || part === null) return [];
  return Object.entries(part).flatMap(([name, value]) => {
    const kind = Array.isArray(part) ? undefined : KIND_OF_EVENT[name as EventName];
    return [...(kind === undefined || kind === null ? [] : [{ kind, sources: sourcesIn(value) }]), ...eventsIn(value)];
  });
}

function sourcesIn(filters: unknown): readonly string[] | null {
  return (filters as { sources?: readonly string[] }).sources ?? null;
}

/** The segment itself and all that it needs, directly or through others. */
export function familyOf(moment: Moment, id: string): Map<string, Segment> {
  const family = new Map<string, Segment>();
  const open = [id];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const segment = family.has(next) ? undefined : moment.get('segment', next);
    if (segment === undefined) continue;
    family.set(next, segment);
    open.push(...referencesOf(segment.rule));
  }
  return family;
}

/**
 * The sources that segments stand on: those that their rules name, and where a rule names none all that hold rows of its kind
 * and may be used by the segment's advertiser. Rows of a source that is no thing count for everybody.
 */
export function standingOf(moment: Moment, segments: readonly string[]): Standing[] {
  const found = new Map<string, { kinds: Set<SourceKind>; segments: Set<string>; used: boolean }>();
  for (const root of segments)
    for (const [id, segment] of familyOf(moment, root))
      for (const leaf of leavesOf(segment.rule))
        for (const source of candidatesOf(moment, leaf)) {
          const body = moment.get('source', source);
          const used = body === undefined || mayUse(body, segment.advertiser, 'profiles');
          // A source that was never granted is not named to who may not know of it.
          if (!used && leaf.sources === null) continue;
          const entry = found.get(source) ?? { kinds: new Set(), segments: new Set(), used: false };
          entry.kinds.add(leaf.kind);
          entry.segments.add(id);
          entry.used ||= used;
          found.set(source, entry);
        }
  return [...found]
    .map(([source, { kinds, segments: by, used }]) => ({ source, kinds: [...kinds].sort(), segments: [...by].sort(), used }))
    .sort((a, b) => (a.source < b.source ? -1 : 1));
}

function candidatesOf(moment: Moment, { kind, sources }: Leaf): readonly string[] {
  return sources ?? moment.sources().filter((source) => moment.holds(source, kind));
}

/** The segments that a line item targets, wanted or not. */
export function segmentsOf({ targeting }: ThingBodies['line-item']): string[] {
  const { segments = [], excludedSegments = [], segmentRule } = targeting;
  const ofRule = segmentRule === undefined ? [] : segmentsOfRule(segmentRule, '').map(({ id }) => id);
  return [...new Set([...segments.flat(), ...excludedSegments, ...ofRule])];
}
