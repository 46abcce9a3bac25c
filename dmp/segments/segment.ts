/** Placeholder of the segment's type until its own file replaces it. */
export interface Segment {
  readonly advertiser?: string | null;
  readonly name: string;
  readonly rule: unknown;
  readonly number: number;
}
