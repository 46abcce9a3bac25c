import { olderPeppers, PEPPER_SOURCE } from '../../proto/pepper.ts';
import type { DmpDeps } from '../deps.ts';

/** How far a replacement of the pepper has come. */
export interface PepperState {
  /** Old peppers that are honoured. */
  readonly older: number;
  /** Keys that are known under one pepper only. Those of before the last rotation are lost when theirs is retired. */
  readonly alone: {
    readonly identifiers: number;
    readonly optOuts: number;
    readonly erased: number;
    readonly consents: number;
  };
}

const LIMITS = { seconds: 60, memoryBytes: 4 * 1024 ** 3 };

export async function pepperState({ warehouse, pepper }: Pick<DmpDeps, 'warehouse' | 'pepper'>): Promise<PepperState> {
  const alone = (table: string, where: string): string =>
    `SELECT uniqExact(identifier) FROM ${table} WHERE ${where} AND identifier NOT IN (SELECT node FROM links WHERE source = '${PEPPER_SOURCE}')`;
  const sql = `SELECT (${alone('identities', "kind != ''")}) AS identifiers, (${alone('opt_outs', 'active = 1')}) AS optOuts,
    (${alone('erased', '1')}) AS erased, (${alone('consents', 'granted = 0')}) AS consents`;
  const [row] = await warehouse.query<Record<keyof PepperState['alone'], string>>({ sql }, LIMITS);
  const count = (name: keyof PepperState['alone']): number => Number(row?.[name] ?? 0);
  return {
    older: olderPeppers(pepper).length,
    alone: {
      identifiers: count('identifiers'),
      optOuts: count('optOuts'),
      erased: count('erased'),
      consents: count('consents'),
    },
  };
}
