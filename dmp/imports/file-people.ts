import { join } from 'node:path';
import type { DmpDeps } from '../deps.ts';
import { DEFAULT_SOURCE } from '../events/event.ts';
import { createKeyring, isIdentifierKind } from '../events/keyring.ts';
import { peppersOfSource } from '../identity/tenant.ts';
import { JobRefused } from '../jobs/jobs.ts';
import { namespaceOf } from '../sources/source.ts';
import { openRows } from './file-rows.ts';
import { openText } from './file-text.ts';
import { tableOfParquet } from './parquet.ts';
import type { ImportRecord } from './records.ts';
import { isAboutPeople } from './targets.ts';

/** Rows between two turns for others: reading a file must not hold up what else the process does. */
const TURN = 5_000;

/** Stands for whoever a part of the file names that cannot be read as rows. */
export const ANYBODY = 'anybody';
const UNREADABLE: ReadonlySet<string> = new Set(['bad_csv', 'bad_encoding', 'not_json']);

/** The keys that the rows of a file name, wrong rows too, as its import would key them; `ANYBODY` where it is not known whom. */
export async function* peopleOfFile(
  record: ImportRecord,
  deps: Pick<DmpDeps, 'warehouse' | 'uploads' | 'things' | 'pepper'>,
): AsyncGenerator<string> {
  const { input, file } = record;
  if (file === null || !isAboutPeople(input.type)) return;
  const contract = deps.things.get('source', input.source ?? DEFAULT_SOURCE)?.body;
  const peppers = peppersOfSource(deps, contract);
  const keyring = createKeyring(peppers, namespaceOf(contract));
  try {
    const path = join(deps.uploads, file.name);
    const isParquet = input.format === 'parquet';
    const text = await openText(
      isParquet && file.isTable !== true ? await tableOfParquet(deps.warehouse, path) : path,
      isParquet ? undefined : input.encoding,
    );
    const zone = contract?.timeZone ?? 'UTC';
    const rows = openRows(text, { input, zone, pepper: peppers.own, now: record.createdAt });
    let turn = 0;
    for await (const piece of rows.pieces)
      for (const row of piece) {
        if (++turn % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
        const { value: named, faults } = rows.map(row);
        if (faults.some(({ code }) => UNREADABLE.has(code))) yield ANYBODY;
        for (const { kind, value } of identifiersIn(named)) {
          const key = keyring.keyOf(kind, value);
          if (key === null) continue;
          yield* [key, ...keyring.olderOf(key)];
          for (const hash of keyring.hashesOf(key)) yield* [hash.key, ...keyring.olderOf(hash.key)];
        }
      }
  } catch (error) {
    if (!(error instanceof JobRefused)) throw error;
    yield ANYBODY;
  }
}

function* identifiersIn(value: unknown) {
  const listed = (value as { identifiers?: unknown } | null)?.identifiers;
  for (const one of Array.isArray(listed) ? listed : []) {
    const { kind, value: raw } = (one ?? {}) as { kind?: unknown; value?: unknown };
    if (isIdentifierKind(kind) && typeof raw === 'string') yield { kind, value: raw };
  }
}
