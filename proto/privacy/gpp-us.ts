import { Bits } from './bits.ts';

/** What a US section of a GPP string says; null where it cannot be read: that is a refusal. */
export interface UsConsent {
  readonly optedOut: boolean;
  /** Processing of precise geolocation was refused. */
  readonly refusesLocation: boolean;
  /** The seller knows that this is a child or a teenager. */
  readonly knownChild: boolean;
}

/**
 * Layout of a core segment: bits before the opt-outs, how many opt-outs (sale, sharing, targeted advertising), how many
 * sensitive-data items and which of them is precise geolocation (from 1, 0 none), how many items about known children.
 */
interface Layout {
  readonly before: number;
  readonly optOuts: number;
  readonly sensitive: number;
  readonly location: number;
  readonly child: number;
}

const layout = (before: number, optOuts: number, sensitive: number, location: number, child: number): Layout => ({
  before,
  optOuts,
  sensitive,
  location,
  child,
});

/** US national: its second version has more items. By version. */
const NATIONAL: Readonly<Record<number, Layout>> = { 1: layout(18, 3, 12, 8, 2), 2: layout(18, 3, 16, 8, 3) };

/** States by section id, all version 1, from the technical specifications of the Global Privacy Platform. */
const STATES: Readonly<Record<number, Layout>> = {
  8: layout(12, 2, 9, 3, 2), // California
  9: layout(12, 2, 8, 8, 1), // Virginia
  10: layout(12, 2, 7, 0, 1), // Colorado
  11: layout(14, 2, 8, 8, 1), // Utah
  12: layout(12, 2, 8, 8, 3), // Connecticut
  13: layout(12, 2, 8, 8, 3), // Florida
  14: layout(12, 2, 8, 8, 3), // Montana
  15: layout(12, 2, 11, 11, 3), // Oregon
  16: layout(12, 2, 8, 8, 1), // Texas
  17: layout(12, 2, 9, 9, 5), // Delaware
  18: layout(14, 2, 8, 8, 1), // Iowa
  19: layout(12, 2, 8, 8, 1), // Nebraska
  20: layout(12, 2, 8, 8, 3), // New Hampshire
  21: layout(12, 2, 10, 8, 5), // New Jersey
  22: layout(12, 2, 8, 8, 1), // Tennessee
  23: layout(12, 2, 8, 8, 1), // Minnesota
  24: layout(16, 2, 0, 0, 0), // Maryland
  25: layout(16, 2, 0, 0, 1), // Indiana
  26: layout(16, 2, 0, 0, 1), // Kentucky
  27: layout(16, 2, 0, 0, 1), // Rhode Island
};
/** Sections whose sensitive data stand in a segment of their own, without a type. */
const APART: ReadonlySet<number> = new Set([25, 26, 27]);
const APART_ITEMS = 8;

const US_NATIONAL = 7;
const GPC = 1;
const OPTED_OUT = 1;
const REFUSED = 1;

export function isUsSection(section: number): boolean {
  return section === US_NATIONAL || STATES[section] !== undefined;
}

export function readUs(section: number, text: string): UsConsent | null {
  const [core = '', ...more] = text.split('.');
  const bits = new Bits(core);
  const version = bits.int(6);
  const shape = section === US_NATIONAL ? NATIONAL[version] : version === 1 ? STATES[section] : undefined;
  if (shape === undefined) return null;
  bits.skip(shape.before - 6);
  const optOuts = items(bits, shape.optOuts);
  const sensitive = items(bits, shape.sensitive);
  const child = items(bits, shape.child);
  if (bits.broken || optOuts === null || sensitive === null || child === null) return null;
  const rest = APART.has(section) ? readApart(more) : readGpc(more);
  if (rest === null) return null;
  return {
    optedOut: optOuts.includes(OPTED_OUT) || rest.gpc,
    refusesLocation: sensitive[shape.location - 1] === REFUSED || rest.refusesLocation,
    // Whether it was consented to or not, the question was asked of a child.
    knownChild: child.some((value) => value !== 0),
  };
}

/** Two bits each: 0 not applicable, 1 opted out or no consent, 2 not opted out or consent. Null where one is 3. */
function items(bits: Bits, count: number): number[] | null {
  const values: number[] = [];
  for (let i = 0; i < count; i++) values.push(bits.int(2));
  return values.includes(3) ? null : values;
}

interface Rest {
  readonly gpc: boolean;
  readonly refusesLocation: boolean;
}

/** The sub-section of Global Privacy Control, where it is there. */
function readGpc(segments: readonly string[]): Rest | null {
  let gpc = false;
  for (const segment of segments) {
    const bits = new Bits(segment);
    if (bits.int(2) === GPC && bits.flag()) gpc = true;
    if (bits.broken) return null;
  }
  return { gpc, refusesLocation: false };
}

function readApart([segment]: readonly string[]): Rest | null {
  if (segment === undefined) return { gpc: false, refusesLocation: false };
  const bits = new Bits(segment);
  const sensitive = items(bits, APART_ITEMS);
  if (bits.broken || sensitive === null) return null;
  return { gpc: false, refusesLocation: sensitive[APART_ITEMS - 1] === REFUSED };
}
