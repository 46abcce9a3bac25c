import { readdirSync, readFileSync } from 'node:fs';
import { type Sample, sampleOf } from '../../../load-tests/conformance/corpus.ts';
import { wireRequest } from '../../bidder/support/live.ts';

/** The requests of the fixtures: a corpus that is always there. */
export function ownCorpus(): Sample[] {
  return ['exemplary', 'supplemental'].flatMap((name) => {
    const folder = new URL(`../../bidder/fixtures/${name}/`, import.meta.url);
    return readdirSync(folder).map((file) => {
      const { request } = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as { request?: Record<string, unknown> };
      return sampleOf(file, Buffer.from(JSON.stringify(wireRequest(request))), false);
    });
  });
}
