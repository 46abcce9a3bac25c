import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ConsentInput } from '../../dmp/consents/consent.ts';
import { hear, record } from '../../dmp/consents/record.ts';
import { createKeyring } from '../../dmp/events/keyring.ts';
import { keyringsFor } from '../../dmp/identity/asking.ts';
import type { Source } from '../../dmp/sources/source.ts';
import { cellOf, cellToUInt64 } from '../../proto/fence.ts';
import { profileKey } from '../../proto/keys.ts';
import { decodeProfile } from '../../proto/profile.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import { createRefresh } from '../../segmenter/refresh.ts';
import { createVisits } from '../../segmenter/visits.ts';
import { type Rig, startRig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(async () => {
  await rig.reset();
  for (const table of ['consents', 'opt_outs', 'links']) await rig.warehouse.command({ sql: `TRUNCATE TABLE ${table}` });
});

const pepper = 'a pepper of the tests';
const keyring = createKeyring(pepper);
const keyOf = (kind: 'ifa' | 'loyalty' | 'cookie', value: string): string => keyring.keyOf(kind, value) as string;
const steps = { progress: async () => undefined, checkpoint: async () => undefined };
const refresh = () => createRefresh(rig, createIdentity(rig), createVisits(rig)).all(steps);

async function say(
  word: Partial<ConsentInput> & Pick<ConsentInput, 'identifiers' | 'status'>,
  advertiser: string | null = null,
): Promise<void> {
  const deps = { ...rig, pepper };
  const proof = word.status === 'granted' ? { proof: { document: 'form' } } : {};
  const contract = word.source === undefined ? undefined : rig.things.get('source', word.source)?.body;
  const keyrings = keyringsFor(deps, { advertiser, contract, says: true });
  const heard = hear(deps, { purposes: ['profiles'], ...proof, ...word }, keyrings, advertiser, '');
  if ('faults' in heard) throw new Error(JSON.stringify(heard.faults));
  await record(deps, [heard], advertiser, 'test');
}

async function source(id: string, more: Partial<Source> = {}): Promise<void> {
  await rig.things.put('source', id, { name: id, party: '2p', timeZone: 'UTC', currency: 'USD', ...more }, { actor: 'test' });
}

/** People `p1`, `p2`, … with a phone and a card, each of which bought something. */
async function people(count: number, of = 'shop'): Promise<void> {
  const now = new Date(rig.now()).toISOString();
  const numbers = Array.from({ length: count }, (_, n) => n + 1);
  await rig.warehouse.insert(
    'edges',
    numbers.map((n) => ({
      ...{ a: keyOf('ifa', `ifa-${n}`), kind_a: 'ifa', b: keyOf('loyalty', `card-${n}`), kind_b: 'loyalty' },
      ...{ source: of, first_seen: now, ingested: now },
    })),
  );
  await rig.warehouse.insert(
    'purchases',
    numbers.map((n) => ({
      ...{ source: of, receipt: `${of}-${n}`, line: '1', at: now, identifier: keyOf('loyalty', `card-${n}`), amount: 1 },
      ...{ currency: 'USD', quantity: '1', ingested: now },
    })),
  );
}

async function members(segment: string): Promise<number[]> {
  const keys = [1, 2, 3].map((n) => keyOf('ifa', `ifa-${n}`));
  const sql = `SELECT i.identifier AS identifier FROM (
      SELECT profile FROM memberships WHERE segment = {segment:String} GROUP BY profile HAVING argMax(status, version) = 1) AS m
    INNER JOIN (SELECT identifier, profile FROM identities FINAL) AS i USING profile`;
  const rows = await rig.warehouse.query<{ identifier: string }>({ sql, params: { segment } });
  return rows.flatMap(({ identifier }) => (keys.includes(identifier) ? [keys.indexOf(identifier) + 1] : [])).sort();
}

/** Numbers of the segments that a bidder finds. */
async function published(n: number): Promise<number[] | undefined> {
  const value = await rig.redis.getBuffer(profileKey(keyOf('ifa', `ifa-${n}`)));
  return value === null ? undefined : decodeProfile(value)?.memberships.map(({ segment }) => segment);
}

test('who withdraws is in no segment after a refresh, named by any identifier, and back when it is granted again', async () => {
  await people(3);
  await rig.segment('shared', { purchases: {} }, 1);
  await rig.segment('not', { not: { purchases: { count: { min: 5 } } } }, 2);
  await refresh();
  expect([await members('shared'), await members('not')]).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ]);
  await say({ identifiers: [{ kind: 'ifa', value: 'ifa-2' }], status: 'withdrawn' });
  await say({ identifiers: [{ kind: 'loyalty', value: 'card-3' }], status: 'withdrawn', purposes: ['personalised_ads'] });
  await refresh();
  expect([await members('shared'), await members('not')]).toEqual([[1], [1]]);
  rig.pass(1_000);
  await say({ identifiers: [{ kind: 'loyalty', value: 'card-2' }], status: 'granted' });
  await refresh();
  expect(await members('shared')).toEqual([1, 2]);
});

test('who withdraws their location is in no segment by a place, and stays in those by what they bought', async () => {
  await people(3);
  const now = rig.now();
  const minutesAgo = (minutes: number) => new Date(now - minutes * 60_000).toISOString();
  await rig.store('st', 55.75, 37.6);
  await rig.warehouse.insert(
    'pings',
    [1, 2, 3].flatMap((n) =>
      [60, 55, 50, 45].map((minutes) => ({
        ...{ source: 'shop', identifier: keyOf('ifa', `ifa-${n}`), at: minutesAgo(minutes), lat: 55.75, lon: 37.6, error: 10 },
        ...{ class: 'high', cell: cellToUInt64(cellOf(55.75, 37.6)), ingested: new Date(now).toISOString() },
      })),
    ),
  );
  await rig.segment('visitors', { visits: { stores: ['st'] } }, 1);
  await rig.segment('around', { near: { stores: ['st'], hours: 24 } }, 2);
  await rig.segment('buyers', { purchases: {} }, 3);
  const all = async () => [await members('visitors'), await members('around'), await members('buyers')];
  await refresh();
  expect(await all()).toEqual([
    [1, 2, 3],
    [1, 2, 3],
    [1, 2, 3],
  ]);
  await say({ identifiers: [{ kind: 'loyalty', value: 'card-2' }], status: 'withdrawn', purposes: ['location'] });
  await say({ identifiers: [{ kind: 'ifa', value: 'ifa-3' }], status: 'withdrawn', purposes: ['location'] }, 'another');
  await refresh();
  expect(await all()).toEqual([
    [1, 3],
    [1, 3],
    [1, 2, 3],
  ]);
});

test('the newest word counts, whichever was written last', async () => {
  await people(1);
  await rig.segment('shared', { purchases: {} }, 1);
  const at = (hours: number) => new Date(rig.now() - hours * 3_600_000).toISOString();
  const who = [{ kind: 'ifa', value: 'ifa-1' }] as ConsentInput['identifiers'];
  await say({ identifiers: who, status: 'withdrawn', at: at(1) });
  await say({ identifiers: who, status: 'granted', at: at(2) });
  await refresh();
  expect(await members('shared')).toEqual([]);
});

test('what is said to one advertiser holds for it alone', async () => {
  await people(2);
  await rig.segment('of_a', { purchases: {} }, 1, 'a');
  await rig.segment('of_b', { purchases: {} }, 2, 'b');
  await rig.segment('shared', { purchases: {} }, 3);
  await say({ identifiers: [{ kind: 'ifa', value: 'ifa-1' }], status: 'withdrawn' }, 'a');
  await refresh();
  expect([await members('of_a'), await members('of_b'), await members('shared')]).toEqual([[2], [1, 2], [1, 2]]);
});

test('rows of a source with recorded consents count for who agreed, until that runs out', async () => {
  await source('shop', { consent: 'recorded' });
  await people(3);
  await rig.segment('shared', { purchases: {} }, 1);
  const day = 86_400_000;
  await say({ identifiers: [{ kind: 'ifa', value: 'ifa-1' }], status: 'granted' });
  const expires = new Date(rig.now() + day).toISOString();
  await say({ identifiers: [{ kind: 'loyalty', value: 'card-2' }], status: 'granted', expires });
  await refresh();
  expect(await members('shared')).toEqual([1, 2]);
  rig.pass(day + 1);
  await refresh();
  expect(await members('shared')).toEqual([1]);
});

test('a withdrawal acts at the bidders at once, and the next publication does not undo it', async () => {
  await people(3);
  await rig.segment('shared', { purchases: {} }, 1);
  await refresh();
  expect([await published(1), await published(2)]).toEqual([[1], [1]]);
  await say({ identifiers: [{ kind: 'loyalty', value: 'card-1' }], status: 'withdrawn' });
  expect([await published(1), await published(2)]).toEqual([[], [1]]);
  await refresh();
  expect([await published(1), await members('shared')]).toEqual([[], [2, 3]]);
  const value = async (n: number) => (await rig.redis.getBuffer(profileKey(keyOf('ifa', `ifa-${n}`)))) as Buffer;
  const before = await value(2);
  await say({ identifiers: [{ kind: 'loyalty', value: 'card-2' }], status: 'withdrawn', purposes: ['ads'] });
  expect((await value(2)).equals(before)).toBe(false);
  const marked = await value(2);
  // Who opted out stays marked when another word comes.
  await say({ identifiers: [{ kind: 'ifa', value: 'ifa-2' }], status: 'withdrawn' });
  expect((await value(2)).subarray(0, 22)).toEqual(marked.subarray(0, 22));
});
