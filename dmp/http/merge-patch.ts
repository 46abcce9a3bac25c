/** JSON Merge Patch (RFC 7396): null deletes, objects merge, all else replaces. Neither argument is changed. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else Object.defineProperty(merged, name, { value: mergePatch(merged[name], value), ...PLAIN });
  }
  return merged;
}

/** A member named __proto__ stays a member. */
const PLAIN = { writable: true, enumerable: true, configurable: true } as const;

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
