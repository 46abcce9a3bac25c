import type { Fault } from '../problem.ts';
import { isDomainOrBundle } from '../supply/domain.ts';
import { type InventoryList, type ListKind, MOST_ENTRIES } from './inventory-list.ts';

/** Takes entries one by one: as they are matched, each once. */
export interface Entries {
  /** What is wrong with it, or null. Blank ones and comments (`#`) are passed over. */
  take(text: string): Omit<Fault, 'pointer'> | null;
  readonly size: number;
  /** Entries that were there already. */
  readonly repeated: number;
  lines(): Pick<InventoryList, 'lines' | 'size'>;
}

const LONGEST = 300;
const SHOWN = 80;

export function createEntries(kind: ListKind): Entries {
  const known = new Set<string>();
  let repeated = 0;
  return {
    take: (text) => {
      const entry = entryOf(text, kind);
      if (entry === '' || entry.startsWith('#')) return null;
      const fault = faultOf(entry, kind);
      if (fault !== null) return fault;
      if (known.has(entry)) repeated++;
      else if (known.size === MOST_ENTRIES) return { code: 'too_long', message: `a list holds at most ${MOST_ENTRIES} entries` };
      else known.add(entry);
      return null;
    },
    get size() {
      return known.size;
    },
    get repeated() {
      return repeated;
    },
    lines: () => ({ lines: [...known].join('\n'), size: known.size }),
  };
}

/** Domains and bundles in lower case, as they are compared; `*.` says what a domain means anyway. */
function entryOf(text: string, kind: ListKind): string {
  const entry = text.trim();
  if (kind === 'domain') return entry.toLowerCase().replace(/^\*\./, '');
  return kind === 'bundle' ? entry.toLowerCase() : entry;
}

function faultOf(entry: string, kind: ListKind): Omit<Fault, 'pointer'> | null {
  const shown = JSON.stringify(entry.slice(0, SHOWN));
  if (kind === 'domain') return isDomainOrBundle(entry) ? null : { code: 'bad_domain', message: `${shown} is not a domain name` };
  if (entry.length > LONGEST) return { code: 'too_long', message: `${shown} is longer than ${LONGEST} characters` };
  if (/[\s,;]/.test(entry))
    return { code: 'bad_entry', message: `${shown} is not one id: one a line, without spaces and commas` };
  return null;
}
