import { createHash } from 'node:crypto';
import { NAME_SOURCE } from '../../proto/pepper.ts';
import type { DmpDeps } from '../deps.ts';
import { type KeyedIdentifier, type Keyring, keyAll } from '../events/keyring.ts';
import { keysIn } from '../identity/asking.ts';
import type { Fault } from '../problem.ts';
import { act } from './act.ts';
import type { ConsentInput } from './consent.ts';

export interface Recorded {
  readonly id: string;
  readonly at: string;
  readonly identifiers: number;
  readonly purposes: ConsentInput['purposes'];
  readonly status: ConsentInput['status'];
}

type Deps = Pick<DmpDeps, 'warehouse' | 'redis' | 'now'>;

/** A word that is understood: whose it is, and its rows but for who recorded it. */
interface Heard {
  readonly input: ConsentInput;
  /** Under every pepper that is honoured. */
  readonly who: readonly KeyedIdentifier[];
  /** How many identifiers these are. */
  readonly named: number;
  readonly id: string;
  readonly at: string;
}

const LIMITS = { seconds: 30 };
const FOREVER = '2299-01-01T00:00:00.000Z';
const AHEAD_MS = 86_400_000;
/** What a DateTime64(3) holds begins with it, and nobody alive has agreed to anything before. */
const EARLIEST = Date.UTC(1900, 0, 1);

export function hear(
  deps: Deps,
  input: ConsentInput,
  keyrings: readonly Keyring[],
  advertiser: string | null,
  pointer: string,
): Heard | { readonly faults: Fault[] } {
  // A network is a household's: what one of its people says is not the others' word.
  const identifiers = input.identifiers.filter(({ kind }) => kind !== 'ip');
  const who = keysIn(keyrings, identifiers);
  const [nearest] = keyrings;
  const named = nearest === undefined ? [] : keyAll(identifiers, nearest);
  const at = input.at === undefined ? deps.now() : Date.parse(input.at);
  const faults: Fault[] = [];
  const fault = (name: string, code: Fault['code'], message: string): void => {
    faults.push({ pointer: `${pointer}/${name}`, code, message });
  };
  if (who.length === 0) fault('identifiers', 'no_identifier', 'none of them names a person');
  if (at > deps.now() + AHEAD_MS) fault('at', 'bad_time', 'is more than a day ahead');
  if (at < EARLIEST) fault('at', 'bad_time', 'is before 1900');
  if (input.status === 'granted' && input.proof === undefined) fault('proof', 'required', 'what is granted needs a proof');
  if (input.status === 'withdrawn' && input.expires !== undefined) fault('expires', 'unknown_property', 'is of what is granted');
  if (input.expires !== undefined && Date.parse(input.expires) <= at) fault('expires', 'end_before_start', 'is not after at');
  if (faults.length > 0) return { faults };
  const content = [
    // As it was said once it is known again, whatever pepper came since.
    named.map(({ key }) => nearest?.olderOf(key).at(-1) ?? key).sort(),
    [...input.purposes].sort(),
    input.status,
    at,
    input.expires,
    input.source,
    input.proof,
    advertiser,
  ];
  const id = `con_${createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 18)}`;
  return { input, who, named: named.length, id, at: new Date(at).toISOString() };
}

/** An end that no table can hold, as 9999-12-31, is none. */
function endOf({ expires }: ConsentInput): string {
  return expires === undefined || Date.parse(expires) > Date.parse(FOREVER) ? FOREVER : new Date(expires).toISOString();
}

const NONE: ReadonlyMap<string, string[]> = new Map();

/** What tenants' facts name the identifiers by: of one that several people share no person leads there. */
async function namesOf({ warehouse }: Deps, keys: readonly string[]): Promise<ReadonlyMap<string, string[]>> {
  if (keys.length === 0) return NONE;
  const sql = `SELECT toString(node) AS key, groupUniqArray(toString(neighbour)) AS names FROM links
    WHERE source = '${NAME_SOURCE}' AND node IN (SELECT i.identifier FROM identities AS i FINAL WHERE i.identifier IN {keys:Array(UUID)} AND shared = 1)
    GROUP BY node`;
  const rows = await warehouse.query<{ key: string; names: string[] }>({ sql, params: { keys } }, LIMITS);
  return new Map(rows.map(({ key, names }) => [key, names]));
}

/**
 * Writes words down and lets a withdrawal act at once. When it returns it is durable, and bidders that look a person up meet it:
 * who withdrew `ads` before the operator is bid on no more, who withdrew `profiles` or `personalised_ads` has no segment until the
 * next publication knows which remain.
 */
export async function record(deps: Deps, heard: readonly Heard[], advertiser: string | null, actor: string): Promise<Recorded[]> {
  const recorded = new Date(deps.now()).toISOString();
  const named = await namesOf(
    deps,
    heard.flatMap(({ who }) => who.map(({ key }) => key)),
  );
  const rows = heard.flatMap(({ input, who, id, at }) =>
    who
      .flatMap((one) => [one, ...(named.get(one.key) ?? []).map((key) => ({ ...one, key }))])
      .flatMap(({ key, kind }) =>
        input.purposes.map((purpose) => ({
          ...{ identifier: key, kind, purpose, advertiser: advertiser ?? '', at, granted: input.status === 'granted' ? 1 : 0 },
          ...{ expires: endOf(input), source: input.source ?? '', actor, id, recorded },
          ...{ document: input.proof?.document ?? '', version: input.proof?.version ?? '', channel: input.proof?.channel ?? '' },
        })),
      ),
  );
  await deps.warehouse.insert('consents', rows);
  await act(deps, rows);
  return heard.map(({ input, named, id, at }) => ({
    ...{ id, at, identifiers: named, purposes: input.purposes, status: input.status },
  }));
}
