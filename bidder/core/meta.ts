import type { Shape } from '../../proto/shapes.ts';
import type { LiveExchange, Snapshot } from '../../proto/snapshot.ts';

/** What of a request is one value out of a few: each value has a row of bits, "any" included. */
export const DIMENSIONS = ['exchange', 'inventory', 'deviceType', 'os', 'connectionType', 'language'] as const;
export type DimensionName = (typeof DIMENSIONS)[number];

export interface Dimension {
  readonly name: DimensionName;
  /** Row of those who take any value; those of `values` follow. */
  readonly row: number;
  readonly values: readonly string[];
  /** Some line items want values beyond these, which are terms. */
  readonly overflows: boolean;
}

/** The small part of an index. */
export interface Meta {
  readonly version: number;
  readonly at: number;
  readonly size: number;
  readonly terms: number;
  readonly lateTerms: number;
  readonly exchanges: readonly LiveExchange[];
  readonly rates: Snapshot['rates'];
  readonly currencies: readonly string[];
  /** Those by which some line item narrows. */
  readonly dimensions: readonly Dimension[];
  readonly shapes: readonly Shape[];
  readonly shapeRow: number;
  readonly broad: number;
  readonly posted: number;
  readonly fenced: number;
  /** Bits of the resolutions at which cells are kept. */
  readonly resolutions: number;
  /** Bits of the kinds of text that targeting asks for. */
  readonly asks: { readonly [Kind in AskedKind]: boolean };
  /** Bits of the ways in which places are named: 1 region, 2 city, 4 zip are given. */
  readonly geoPatterns: number;
  /** How many domains have an ads.txt. */
  readonly adsTxt: number;
}

export type AskedKind =
  | 'make'
  | 'model'
  | 'browser'
  | 'carrier'
  | 'geo'
  | 'category'
  | 'contentLanguage'
  | 'userData'
  | 'eid'
  | 'deal'
  | 'lists';
