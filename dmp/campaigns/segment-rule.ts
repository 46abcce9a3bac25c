import { Type } from 'typebox';

/** Own segments as a tree: `withinHours` asks for those who entered so many hours ago at most. */
export type SegmentRule =
  | { readonly all: readonly SegmentRule[] }
  | { readonly any: readonly SegmentRule[] }
  | { readonly not: SegmentRule }
  | { readonly segment: string; readonly withinHours?: number };

/** As the API takes it. Its inside is checked by check-segment-rule.ts, whose faults name the node. */
export const SegmentRule = Type.Unsafe<SegmentRule>(
  Type.Object(
    {},
    {
      minProperties: 1,
      description:
        'One of all, any, not, segment. A segment may have withinHours: only who entered it so many hours ago at most. Beside `segments` and `excludedSegments`, which must hold too.',
      examples: [
        { all: [{ any: [{ segment: 'regulars' }, { segment: 'visitors', withinHours: 48 }] }, { not: { segment: 'staff' } }] },
      ],
    },
  ),
);

/** A segment that a rule names, with where it does. */
interface NamedSegment {
  readonly id: string;
  readonly pointer: string;
  /** Whether it picks members out; else it leaves them out. Who is not among those who are not in it is in it. */
  readonly wanted: boolean;
}

export function segmentsOf(rule: SegmentRule, pointer: string, wanted = true): NamedSegment[] {
  if ('segment' in rule) return [{ id: rule.segment, pointer: `${pointer}/segment`, wanted }];
  if ('not' in rule) return segmentsOf(rule.not, `${pointer}/not`, !wanted);
  const [name, group] = 'all' in rule ? ['all', rule.all] : ['any', rule.any];
  return (group as readonly SegmentRule[]).flatMap((part, index) => segmentsOf(part, `${pointer}/${name}/${index}`, wanted));
}
