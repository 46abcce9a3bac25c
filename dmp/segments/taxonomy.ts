import { readFileSync } from 'node:fs';

/** Number of the IAB Audience Taxonomy 1.1 in OpenRTB: `user.data[].ext.segtax`. */
export const SEGTAX = 4;

type Row = readonly [id: number, parent: number, name: string];

/**
 * IAB Audience Taxonomy 1.1 by id, of IAB Tech Lab (https://iabtechlab.com/standards/audience-taxonomy/), CC BY 3.0; condensed to
 * id, parent (0: none) and the name of the last tier.
 */
const AUDIENCES: ReadonlyMap<string, { readonly parent: string; readonly name: string }> = new Map(
  (JSON.parse(readFileSync(new URL('./audience-taxonomy-1.1.json', import.meta.url), 'utf8')) as { rows: Row[] }).rows.map(
    ([id, parent, name]) => [String(id), { parent: String(parent), name }],
  ),
);

/**
 * Audiences, with all below them, that tell of health, belief, or trouble with money or habits: what the law sets apart, or what
 * nobody wants to be followed by. The taxonomy names no faith, origin or orientation; `words` of sensitivity.ts do.
 */
const SENSITIVE: ReadonlySet<string> = new Set([
  ...(['281', '537', '1387'] as const), // bankruptcy, debt
  ...(['381', '466', '550', '1448', '1555', '1393', '765'] as const), // health, medicine, conditions
  ...(['407', '411', '413', '414', '416', '419', '420', '421'] as const), // health of some, weight, cures
  ...(['529', '503', '1344'] as const), // politics, religion
  '654', // gambling
]);

/** Its tiers from the first, "Interest | Medical Health"; null where there is no such id. */
export function audienceName(id: string): string | null {
  const names = lineOf(id).map((one) => AUDIENCES.get(one)?.name);
  return names.length === 0 ? null : names.reverse().join(' | ');
}

export function isSensitiveAudience(id: string): boolean {
  return lineOf(id).some((one) => SENSITIVE.has(one));
}

/** The id and those above it; none where it is not of the taxonomy. */
function lineOf(id: string): string[] {
  const line: string[] = [];
  for (let at = id; AUDIENCES.has(at); at = AUDIENCES.get(at)?.parent ?? '0') line.push(at);
  return line;
}
