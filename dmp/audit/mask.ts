/** Members that hold secrets or digests of them, by whatever noun. */
const SECRET = /^(hash|token|tokenHash|keys|priceKeys|secret|password|.*(Secret|Password))$/;
export const MASKED = '***';
const MOST_ITEMS = 100;

/** A body as the log shows it: secrets masked, long lists by their length. */
export function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.length > MOST_ITEMS ? { items: value.length } : value.map(masked);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, SECRET.test(name) && member !== null ? MASKED : masked(member)]),
  );
}

/** Names of the members that differ. */
export function changedMembers(before: object | null, after: object | null): string[] {
  const [a, b] = [before ?? {}, after ?? {}] as Record<string, unknown>[] as [Record<string, unknown>, Record<string, unknown>];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((name) => JSON.stringify(a[name]) !== JSON.stringify(b[name]))
    .sort();
}
