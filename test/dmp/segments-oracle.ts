import type { Bounds, Rule, Window } from '../../dmp/segments/rule.ts';
import type { World } from './segments-world.ts';

/** What a rule means, said slowly: for each person, look at every fact. */
export function membersOf(rule: Rule, world: World): number[] {
  const profiles = [...new Set(world.people.map((person) => person.profile))];
  return profiles.filter((profile) => holds(rule, profile, world)).sort((a, b) => a - b);
}

function holds(rule: Rule, profile: number, world: World): boolean {
  if ('all' in rule) return rule.all.every((part) => holds(part, profile, world));
  if ('any' in rule) return rule.any.some((part) => holds(part, profile, world));
  if ('not' in rule) return !holds(rule.not, profile, world);
  const mine = new Set(world.people.filter((person) => person.profile === profile).map((person) => person.identifier));
  const isMine = (row: { identifier: string }): boolean => mine.has(row.identifier);
  if ('purchases' in rule) {
    const leaf = rule.purchases;
    const stores = named(leaf, world);
    const rows = latest(
      world.purchases,
      // Equal keys in different months are different rows, which this world does not have.
      (row) => [row.source, row.receipt, row.line],
      (row) => row.ingested,
    ).filter((row) => {
      const listing = latest(
        world.products,
        (product) => [product.source, product.product],
        (product) => product.ingested,
      ).find((product) => product.source === row.source && product.product === row.product);
      const fits = (values: string[] | undefined, key: 'department' | 'category' | 'brand'): boolean =>
        values === undefined ||
        values.includes(row[key]) ||
        (row[key] === '' && listing !== undefined && values.includes(listing[key]));
      return (
        isMine(row) &&
        inWindow(row.at, leaf.window, world.now) &&
        (stores === null || stores.includes(row.store)) &&
        fits(leaf.departments, 'department') &&
        fits(leaf.categories, 'category') &&
        fits(leaf.brands, 'brand') &&
        (leaf.products?.includes(row.product) ?? true) &&
        (leaf.sources?.includes(row.source) ?? true)
      );
    });
    return measured(
      [
        [different(rows.map((row) => [row.source, row.receipt])), leaf.count],
        [rows.reduce((sum, row) => sum + row.amount, 0), leaf.sum],
        [different(rows.map((row) => new Date(row.at).toISOString().slice(0, 10))), leaf.days],
      ],
      rows.length,
    );
  }
  if ('visits' in rule) {
    const leaf = rule.visits;
    const stores = named(leaf, world);
    const anywhere = stores === null && leaf.geofences === undefined;
    const rows = latest(
      world.visits,
      (row) => [row.identifier, row.kind, row.place, row.day],
      (row) => row.version,
    ).filter(
      (row) =>
        isMine(row) &&
        row.cancelled === 0 &&
        inWindow(row.start, leaf.window, world.now) &&
        row.dwell >= (leaf.minDwellSeconds ?? 0) &&
        (row.kind === 'store'
          ? anywhere || (stores?.includes(row.place) ?? false)
          : (leaf.geofences?.includes(row.place) ?? false)),
    );
    const longest = new Map<string, number>();
    for (const row of rows) {
      const key = `${row.kind} ${row.place} ${row.day}`;
      longest.set(key, Math.max(longest.get(key) ?? 0, row.dwell));
    }
    return measured(
      [
        [longest.size, leaf.count],
        [different(rows.map((row) => row.day)), leaf.days],
        [[...longest.values()].reduce((sum, dwell) => sum + dwell, 0), leaf.dwell],
      ],
      rows.length,
    );
  }
  if ('redemptions' in rule) {
    const leaf = rule.redemptions;
    const rows = world.redemptions.filter(
      (row) =>
        isMine(row) &&
        inWindow(row.at, leaf.window, world.now) &&
        (leaf.coupons?.includes(row.coupon) ?? true) &&
        (leaf.promotions?.includes(row.promotion) ?? true),
    );
    return measured([[rows.length, leaf.count]], rows.length);
  }
  if ('pages' in rule) {
    const leaf = rule.pages;
    const rows = world.pages.filter(
      (row) => isMine(row) && inWindow(row.at, leaf.window, world.now) && row.url.includes(leaf.urlContains ?? ''),
    );
    return measured([[rows.length, leaf.count]], rows.length);
  }
  if ('attribute' in rule) {
    const { name, in: listed, min, max } = rule.attribute;
    const rows = latest(
      world.attributes.filter((row) => isMine(row) && row.name === name),
      (row) => [row.source],
      (row) => row.at,
      (row) => row.identifier,
    );
    return rows.some(
      ({ text, number }) =>
        (listed === undefined || listed.map(String).includes(text)) &&
        (min === undefined || (number !== null && number >= min)) &&
        (max === undefined || (number !== null && number <= max)),
    );
  }
  const rows = world.memberships.filter((row) => row.segment === rule.segment && row.profile === profile);
  return rows.sort((a, b) => b.version - a.version)[0]?.status === 1;
}

/** The last row of each key, by a number and then a text; equal ones: the later in the list. */
function latest<Row>(
  rows: readonly Row[],
  keyOf: (row: Row) => readonly string[],
  rank: (row: Row) => number,
  tie: (row: Row) => string = () => '',
): Row[] {
  const kept = new Map<string, Row>();
  for (const row of rows) {
    const key = JSON.stringify(keyOf(row));
    const known = kept.get(key);
    const newer = known === undefined || rank(row) > rank(known) || (rank(row) === rank(known) && tie(row) >= tie(known));
    if (newer) kept.set(key, row);
  }
  return [...kept.values()];
}

function named(leaf: { stores?: string[]; storeGroups?: string[] }, world: World): string[] | null {
  if (leaf.stores === undefined && leaf.storeGroups === undefined) return null;
  return [...(leaf.stores ?? []), ...(leaf.storeGroups ?? []).flatMap((group) => world.groups[group] ?? [])];
}

function inWindow(at: number, window: Window | undefined, now: number): boolean {
  if (window === undefined) return true;
  if (window.days !== undefined) return at <= now && at > now - window.days * 86_400_000;
  const day = new Date(at).toISOString().slice(0, 10);
  return day >= (window.from as string) && day <= (window.to as string);
}

function measured(measures: readonly (readonly [value: number, bounds: Bounds | undefined])[], facts: number): boolean {
  const given = measures.filter(([, bounds]) => bounds !== undefined);
  if (given.length === 0) return facts > 0;
  return given.every(([value, bounds]) => value >= (bounds?.min ?? -Infinity) && value <= (bounds?.max ?? Infinity));
}

function different(values: readonly unknown[]): number {
  return new Set(values.map((value) => JSON.stringify(value))).size;
}
