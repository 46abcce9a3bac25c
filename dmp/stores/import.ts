import { isDeepStrictEqual } from 'node:util';
import type { DmpDeps } from '../deps.ts';
import { ID_PATTERN } from '../http/schema.ts';
import { createChecker } from '../http/validation.ts';
import type { Fault } from '../problem.ts';
import type { Things } from '../things/things.ts';
import { checkStore } from './check-store.ts';
import { Store } from './store.ts';

/** A store as a file has it; `body` may be anything. */
export interface StoreRow {
  readonly id: string;
  readonly body: unknown;
}

const ID = new RegExp(ID_PATTERN);
const checkShape = createChecker(Store);

/**
 * Writes the stores that pass the very checks of the API, all in one go, and returns the faults of each row, none where it was
 * taken. A row that says what is already so changes nothing, so a file may be imported again.
 */
export async function importStores(deps: Pick<DmpDeps, 'things'>, rows: readonly StoreRow[], actor: string): Promise<Fault[][]> {
  const faults = rows.map((row) => storeRowFaults(row, deps.things));
  const accepted = rows.filter((_, index) => faults[index]?.length === 0) as { id: string; body: Store }[];
  const changed = accepted.filter(({ id, body }) => !isDeepStrictEqual(deps.things.get('store', id)?.body, body));
  await deps.things.putAll('store', changed, { actor });
  return faults;
}

/** Fills in the defaults of the body. */
export function storeRowFaults({ id, body }: StoreRow, things: Things): Fault[] {
  const shape = [...(ID.test(id) ? [] : [badId(id)]), ...checkShape(body)];
  if (shape.length > 0) return shape;
  const current = things.get('store', id);
  const { advertiser } = body as Store;
  if (current !== undefined && current.body.advertiser !== advertiser)
    return [{ pointer: '/id', code: 'exists', message: `${id} is a store of another advertiser` }];
  return checkStore(body as Store, things);
}

function badId(id: string): Fault {
  return { pointer: '/id', code: 'pattern', message: `${JSON.stringify(id.slice(0, 80))} must match ${ID_PATTERN}` };
}
