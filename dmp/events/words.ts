import { createHash } from 'node:crypto';
import type { Said } from '../consents/strings.ts';
import { termsOf } from '../sources/source.ts';
import type { KeyedIdentifier } from './keyring.ts';
import type { ConsentRow } from './rows.ts';
import type { Terms } from './terms.ts';

const DAY_MS = 86_400_000;
/** As long as the IAB lets a consent stand before the person is asked again. */
const HOLDS_MS = 395 * DAY_MS;
const FOREVER = '2299-01-01T00:00:00.000Z';

/**
 * What consent strings say, as words of everybody whom the event names: the same string gives the same words, whenever it comes.
 * They are said to the holder of the source, or to the operator, as those of `POST /v1/consents` are.
 *
 * @param at epoch ms of the event: of strings without a time of their own its day counts
 */
export function wordsOf(said: Said, who: readonly KeyedIdentifier[], at: number, terms: Terms): ConsentRow[] {
  const saidAt = Math.min(said.at ?? Math.floor(at / DAY_MS) * DAY_MS, terms.now);
  const advertiser = terms.contract === undefined ? '' : (termsOf(terms.contract).advertiser ?? '');
  const rows: ConsentRow[] = [];
  // A network is a household's, and what its people say is each one's own.
  const people = who.filter(({ kind }) => kind !== 'ip');
  for (const granted of [1, 0] as const) {
    const purposes = granted === 1 ? said.granted : said.refused;
    const id = idOf(said, people, granted, advertiser, saidAt);
    for (const { key, kind } of people)
      for (const purpose of purposes)
        rows.push({
          ...{ identifier: key, kind, purpose, advertiser, at: new Date(saidAt).toISOString(), granted },
          expires: granted === 1 ? new Date(saidAt + HOLDS_MS).toISOString() : FOREVER,
          ...{ source: terms.source, document: `${said.document} string`, version: said.hash, channel: 'event', actor: '', id },
        });
  }
  return rows;
}

function idOf(said: Said, who: readonly KeyedIdentifier[], granted: 0 | 1, advertiser: string, at: number): string {
  const content = [who.map(({ key }) => key).sort(), said.hash, said.document, granted, advertiser, at];
  return `con_${createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 18)}`;
}
