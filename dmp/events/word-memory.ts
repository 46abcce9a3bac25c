import type { ConsentRow } from './rows.ts';

/** Words that are durable and have acted: most events repeat the string of the one before. Bounded; what was forgotten acts again. */
export interface WordMemory {
  unknown(words: readonly ConsentRow[]): ConsentRow[];
  /** Call only once they are durable and have acted. */
  remember(words: readonly ConsentRow[]): void;
}

const CAPACITY = 100_000;

export function createWordMemory(capacity = CAPACITY): WordMemory {
  // Of each person, purpose and audience the newest: a change of mind and back is three words.
  const known = new Map<string, string>();
  const place = ({ identifier, purpose, advertiser }: ConsentRow): string => `${identifier}${purpose} ${advertiser}`;
  return {
    unknown: (words) => {
      const fresh = new Map<string, ConsentRow>();
      for (const word of words) if (known.get(place(word)) !== word.id) fresh.set(`${place(word)} ${word.id}`, word);
      return [...fresh.values()];
    },
    remember: (words) => {
      for (const word of words) {
        known.delete(place(word));
        known.set(place(word), word.id);
      }
      for (const key of known.keys()) {
        if (known.size <= capacity) break;
        known.delete(key);
      }
    },
  };
}
