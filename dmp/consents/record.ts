import { createHash } from 'node:crypto';
import type { DmpDeps } from '../deps.ts';
import { createKeyring, type KeyedIdentifier, keyAll } from '../events/keyring.ts';
import { optedOutKeys, optedOutProfiles, optIn, optOut } from '../opt-out/opt-out.ts';
import type { Fault } from '../problem.ts';
import { withholdSegments } from '../publication/withheld.ts';
import { namespaceOf } from '../sources/source.ts';
import type { ConsentInput } from './consent.ts';
import { announceRefusal } from './refused.ts';

export interface Recorded {
  readonly id: string;
  readonly at: string;
  readonly identifiers: number;
  readonly purposes: ConsentInput['purposes'];
  readonly status: ConsentInput['status'];
}

type Deps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'pepper' | 'now'>;

/** A word that is understood: whose it is, and its rows but for who recorded it. */
interface Heard {
  readonly input: ConsentInput;
  readonly who: readonly KeyedIdentifier[];
  readonly id: string;
  readonly at: string;
}

const FOREVER = '2299-01-01T00:00:00.000Z';
const AHEAD_MS = 86_400_000;
const LIMITS = { seconds: 30 };

export function hear(
  deps: Deps,
  input: ConsentInput,
  advertiser: string | null,
  pointer: string,
): Heard | { readonly faults: Fault[] } {
  const source = input.source === undefined ? undefined : deps.things.get('source', input.source)?.body;
  const who = keyAll(input.identifiers, createKeyring(deps.pepper, namespaceOf(source)));
  const at = input.at === undefined ? deps.now() : Date.parse(input.at);
  const faults: Fault[] = [];
  const fault = (name: string, code: Fault['code'], message: string): void => {
    faults.push({ pointer: `${pointer}/${name}`, code, message });
  };
  if (who.length === 0) fault('identifiers', 'no_identifier', 'none of them names anybody');
  if (at > deps.now() + AHEAD_MS) fault('at', 'bad_time', 'is more than a day ahead');
  if (input.status === 'granted' && input.proof === undefined) fault('proof', 'required', 'what is granted needs a proof');
  if (input.status === 'withdrawn' && input.expires !== undefined) fault('expires', 'unknown_property', 'is of what is granted');
  if (input.expires !== undefined && Date.parse(input.expires) <= at) fault('expires', 'end_before_start', 'is not after at');
  if (faults.length > 0) return { faults };
  const content = [
    who.map(({ key }) => key).sort(),
    [...input.purposes].sort(),
    input.status,
    at,
    input.expires,
    input.source,
    input.proof,
    advertiser,
  ];
  const id = `con_${createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 18)}`;
  return { input, who, id, at: new Date(at).toISOString() };
}

/**
 * Writes words down and lets a withdrawal act at once. When it returns it is durable, and bidders that look a person up meet it:
 * who withdrew `ads` before the operator is bid on no more, who withdrew `profiles` or `personalised_ads` has no segment until the
 * next publication knows which remain.
 */
export async function record(deps: Deps, heard: readonly Heard[], advertiser: string | null, actor: string): Promise<Recorded[]> {
  const recorded = new Date(deps.now()).toISOString();
  const rows = heard.flatMap(({ input, who, id, at }) =>
    who.flatMap(({ key, kind }) =>
      input.purposes.map((purpose) => ({
        ...{ identifier: key, kind, purpose, advertiser: advertiser ?? '', at, granted: input.status === 'granted' ? 1 : 0 },
        ...{ expires: input.expires ?? FOREVER, source: input.source ?? '', actor, id, recorded },
        ...{ document: input.proof?.document ?? '', version: input.proof?.version ?? '', channel: input.proof?.channel ?? '' },
      })),
    ),
  );
  await deps.warehouse.insert('consents', rows);
  await act(deps, heard, advertiser);
  return heard.map(({ input, who, id, at }) => ({
    ...{ id, at, identifiers: who.length, purposes: input.purposes, status: input.status },
  }));
}

async function act(deps: Deps, heard: readonly Heard[], advertiser: string | null): Promise<void> {
  const keysOf = (status: ConsentInput['status'], ...purposes: ConsentInput['purposes']): string[] =>
    heard
      .filter(({ input }) => input.status === status && input.purposes.some((purpose) => purposes.includes(purpose)))
      .flatMap(({ who }) => who.map(({ key }) => key));
  // What is said to one advertiser must not take others' audience away.
  if (advertiser === null) {
    if (heard.some(({ input }) => input.purposes.includes('storage'))) await announceRefusal(deps.redis);
    await optOut(deps, keysOf('withdrawn', 'ads'));
    await optIn(deps, keysOf('granted', 'ads'));
  }
  await forget(deps, keysOf('withdrawn', 'profiles', 'personalised_ads'));
}

/** Takes what bidders know of people away, until the next publication writes what may be known. Who opted out stays marked. */
async function forget({ warehouse, redis, now }: Deps, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  const named = 'SELECT argMax(profile, version) FROM identities WHERE identifier IN {keys:Array(UUID)} GROUP BY identifier';
  const people = await warehouse.query<{ identifier: string; profile: number; anchor: string }>(
    { sql: `SELECT identifier, profile, anchor FROM identities FINAL WHERE profile IN (${named})`, params: { keys } },
    LIMITS,
  );
  const marked = await optedOutProfiles(warehouse);
  const free = people.filter(({ profile }) => !marked.has(profile));
  const known = new Set(people.map(({ identifier }) => identifier));
  const out = await optedOutKeys(warehouse, keys);
  const unknown = keys.filter((key) => !known.has(key) && !out.has(key));
  await withholdSegments(redis, [...free, ...unknown.map((key) => ({ identifier: key, profile: 0, anchor: key }))], now());
  if (free.length === 0) return;
  // Rows under a new version: it is by these that the publication knows whom to write.
  const sql = `INSERT INTO identities (identifier, kind, profile, anchor, version, own, device, household, cluster, shared)
    SELECT identifier, kind, profile, anchor, (SELECT max(version) + 1 FROM identities), own, device, household, cluster, shared
    FROM identities FINAL WHERE profile IN {profiles:Array(UInt32)}`;
  await warehouse.command({ sql, params: { profiles: [...new Set(free.map(({ profile }) => profile))] } }, LIMITS);
}
