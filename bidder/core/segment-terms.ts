import { NONE } from './dictionary.ts';
import { mixed, NumberList, slotsFor } from './layout.ts';

/** Memberships that are asked for: a term for each segment and the hours within which it was entered. */
export class SegmentTerms {
  /** By segment, then by hours; `NONE`: whenever. */
  readonly #terms = new Map<number, Map<number, number>>();

  /** The term of a segment, `fresh` where there was none. */
  add(segment: number, withinHours: number | null, fresh: number): number {
    const hours = withinHours ?? NONE;
    const ages = this.#terms.get(segment) ?? new Map<number, number>();
    if (ages.size === 0) this.#terms.set(segment, ages);
    const known = ages.get(hours);
    if (known !== undefined) return known;
    ages.set(hours, fresh);
    return fresh;
  }

  /** Slots are [segment, 1 + number of it], by a hash of the segment. */
  sections() {
    const segmentSlots = new Uint32Array(2 * slotsFor(this.#terms.size));
    const mask = segmentSlots.length / 2 - 1;
    const starts = new NumberList();
    const hours = new NumberList();
    const terms = new NumberList();
    for (const [segment, ages] of this.#terms) {
      let slot = mixed(segment) & mask;
      while (segmentSlots[slot * 2 + 1] !== 0) slot = (slot + 1) & mask;
      segmentSlots[slot * 2] = segment;
      segmentSlots[slot * 2 + 1] = starts.length + 1;
      starts.push(hours.length);
      for (const [age, term] of ages) {
        hours.push(age);
        terms.push(term);
      }
    }
    starts.push(hours.length);
    return { segmentSlots, segmentStart: starts.view(), segmentHours: hours.view(), segmentTerms: terms.view() };
  }
}
