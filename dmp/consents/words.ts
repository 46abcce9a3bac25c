import type { Word } from './state.ts';

/** The newest word on each purpose. */
export function standing(words: readonly Word[], now: number): Record<string, string> {
  const purposes: Record<string, string> = {};
  for (const { purpose, granted, expires } of words) {
    if (purposes[purpose] !== undefined) continue;
    purposes[purpose] = granted === 0 ? 'withdrawn' : timeOf(expires) > now ? 'granted' : 'expired';
  }
  return purposes;
}

/** A word as the API shows it. */
export function wordView({ granted, at, expires, source, document, version, channel, id, purpose }: Word): object {
  const end = timeOf(expires);
  return {
    ...{ id, purpose, status: granted === 1 ? 'granted' : 'withdrawn', at: new Date(timeOf(at)).toISOString() },
    expires: granted === 0 || end >= Date.UTC(2299, 0, 1) ? null : new Date(end).toISOString(),
    source: source === '' ? null : source,
    proof: document === '' ? null : { document, ...(version === '' ? {} : { version }), ...(channel === '' ? {} : { channel }) },
  };
}

function timeOf(text: string): number {
  return Date.parse(`${text.replace(' ', 'T')}Z`);
}
