import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { openThings } from '../../dmp/things/open.ts';
import { RevisionConflict, type Things } from '../../dmp/things/things.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { startWarehouse } from '../support/warehouse.ts';

let redis: TestRedis;
let warehouse: Warehouse;
let stop: () => Promise<void>;
let things: Things;
const opened: Things[] = [];
const open = async (): Promise<Things> => {
  const made = await openThings({ warehouse, redis: redis.connect(), now: Date.now });
  opened.push(made);
  return made;
};

beforeAll(async () => {
  redis = await startRedis();
  ({ warehouse, stop } = await startWarehouse());
  things = await open();
});
afterAll(async () => {
  await Promise.all(opened.map((each) => each.close()));
  await stop();
  await redis.stop();
});

const advertiser = (name: string) => ({ name, domains: ['shop.example'], currency: 'USD' as const });
const write = { actor: 'test' };

test('a thing is what its latest revision says, and all revisions stay', async () => {
  const first = await things.put('advertiser', 'adv_a', advertiser('one'), { ...write, expected: 0 });
  const second = await things.put('advertiser', 'adv_a', advertiser('two'), { ...write, expected: 1 });
  expect([first.revision, second.revision]).toEqual([1, 2]);
  expect(second.createdAt).toBe(first.createdAt);
  expect(things.get('advertiser', 'adv_a')).toEqual(second);
  const rows = await warehouse.query({ sql: "SELECT revision, actor FROM revisions WHERE id = 'adv_a' ORDER BY revision" });
  expect(rows).toEqual([
    { revision: 1, actor: 'test' },
    { revision: 2, actor: 'test' },
  ]);
});

test('a write that expects another revision changes nothing and says which one is current', async () => {
  await things.put('advertiser', 'adv_b', advertiser('one'), write);
  const stale = things.put('advertiser', 'adv_b', advertiser('x'), { ...write, expected: 7 });
  await expect(stale).rejects.toMatchObject(new RevisionConflict(1));
  await expect(things.put('advertiser', 'adv_b', advertiser('x'), { ...write, expected: 0 })).rejects.toThrow(RevisionConflict);
  expect(things.get('advertiser', 'adv_b')?.body.name).toBe('one');
});

test('what is removed is gone, and begins anew with the next revision when it is made again', async () => {
  await things.put('advertiser', 'adv_c', advertiser('one'), write);
  await things.remove('advertiser', 'adv_c', { ...write, expected: 1 });
  expect(things.get('advertiser', 'adv_c')).toBeUndefined();
  const again = await things.put('advertiser', 'adv_c', advertiser('two'), { ...write, expected: 0 });
  expect(again.revision).toBe(3);
  expect(again.createdAt).toBe(again.updatedAt);
});

test('of many writers at once on the same revision, over two processes, exactly one wins', async () => {
  const other = await open();
  await things.put('advertiser', 'adv_d', advertiser('start'), write);
  await vi.waitFor(() => expect(other.get('advertiser', 'adv_d')).toBeDefined());
  const attempts = Array.from({ length: 20 }, (_, n) =>
    (n % 2 === 0 ? things : other).put('advertiser', 'adv_d', advertiser(`w${n}`), { ...write, expected: 1 }),
  );
  const results = await Promise.allSettled(attempts);
  expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  expect(things.get('advertiser', 'adv_d')?.revision).toBe(2);
  await vi.waitFor(() => expect(other.get('advertiser', 'adv_d')).toEqual(things.get('advertiser', 'adv_d')));
});

test('writers that expect nothing each make a revision', async () => {
  const other = await open();
  const writers = Array.from({ length: 10 }, (_, n) =>
    (n % 2 === 0 ? things : other).put('advertiser', 'adv_e', advertiser(`w${n}`), write),
  );
  const revisions = (await Promise.all(writers)).map((thing) => thing.revision);
  expect(revisions.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test('many things are written with one insert, a repeated id counting once', async () => {
  const heard: string[] = [];
  things.onChange((_kind, id) => id.startsWith('adv_many_') && heard.push(id));
  const many = Array.from({ length: 1_200 }, (_, n) => ({ id: `adv_many_${n}`, body: advertiser(`n${n}`) }));
  await things.putAll('advertiser', [...many, { id: 'adv_many_0', body: advertiser('last') }], write);
  expect(things.get('advertiser', 'adv_many_0')).toMatchObject({ revision: 1, body: { name: 'last' } });
  expect(things.list('advertiser').filter((thing) => thing.id.startsWith('adv_many_'))).toHaveLength(1_200);
  expect(heard).toHaveLength(1_200);
});

test('another process sees a change and a removal without asking', async () => {
  const other = await open();
  const heard: string[] = [];
  other.onChange((_kind, id) => heard.push(id));
  await things.put('exchange', 'acme', exchange, write);
  await vi.waitFor(() => expect(other.get('exchange', 'acme')?.body).toEqual(exchange));
  await things.remove('exchange', 'acme', write);
  await vi.waitFor(() => expect(other.get('exchange', 'acme')).toBeUndefined());
  expect(heard).toEqual(['acme', 'acme']);
});

test('a change whose message was lost is found when the connection comes back', async () => {
  const own = redis.connect();
  const other = await openThings({ warehouse, redis: own, now: Date.now });
  opened.push(other);
  // The process that wrote it died before it could tell.
  const row = { kind: 'advertiser', id: 'adv_lost', revision: 1, at: new Date().toISOString(), actor: 'x', deleted: 0 };
  await warehouse.insert('revisions', [{ ...row, body: JSON.stringify(advertiser('lost')) }]);
  expect(other.get('advertiser', 'adv_lost')).toBeUndefined();
  await redis.connect().call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await vi.waitFor(() => expect(other.get('advertiser', 'adv_lost')?.body.name).toBe('lost'), 5_000);
});

test('a process that opens later has all there is, in order of creation', async () => {
  const later = await open();
  await vi.waitFor(() => expect(later.list('advertiser')).toEqual(things.list('advertiser')), 5_000);
  const times = later.list('advertiser').map((thing) => thing.createdAt);
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

test('a lock whose holder died is free after a few seconds', async () => {
  await redis.connect().set('walkin:lock:source', 'dead', 'PX', 800);
  const source = { name: 'till', party: '1p' as const, timeZone: 'UTC', currency: 'USD' as const };
  expect((await things.put('source', 'src_a', source, write)).revision).toBe(1);
});

const exchange = {
  name: 'Acme',
  defaultTmax: 100,
  networkAllowance: 10,
  billing: 'burl' as const,
  seat: null,
  simulated: false,
};
