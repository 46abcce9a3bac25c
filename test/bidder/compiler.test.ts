import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Compiled, createCompiler } from '../../bidder/compiler/compiled.ts';
import { keepOnly, makeIndexFolder, readIndex, removeIndexFolder, writeIndex } from '../../bidder/compiler/folder.ts';
import { createRoom } from '../../bidder/compiler/room.ts';
import { openIndex } from '../../bidder/core/index.ts';
import { joined } from '../../bidder/core/layout.ts';
import { SNAPSHOT_KEY, SNAPSHOT_PARTS_KEY } from '../../proto/keys.ts';
import { ANY } from '../../proto/snapshot.ts';
import { decodeHead } from '../../proto/snapshot-parts.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { put } from './support/bidder.ts';
import { geofence, LAT, LON, lineItem, snapshot, store } from './support/live.ts';

const whole = snapshot({
  version: 7,
  stores: [store('st')],
  geofences: [geofence('gf', { type: 'circle', lat: LAT, lon: LON, radius: 100 })],
  lists: [{ id: 'ls', kind: 'domain', entries: 'news.example' }],
  lineItems: [lineItem('a', { targeting: { ...ANY, stores: ['st'], geofences: ['gf'] } }), lineItem('b')],
});

describe('a published snapshot', () => {
  let redis: TestRedis;
  let client: Redis;
  beforeAll(async () => {
    redis = await startRedis();
    client = redis.connect();
  });
  beforeEach(() => client.flushall());
  afterAll(() => redis.stop());

  const head = async (): Promise<Buffer> => (await client.getBuffer(SNAPSHOT_KEY)) as Buffer;
  const compile = async (value?: Buffer) => createCompiler(client).compile(value ?? (await head()));

  it('is compiled to bytes that open as it', async () => {
    await put(client, whole);
    const { version, pieces } = (await compile()) as Compiled;
    const index = openIndex(joined(pieces));
    expect([version, index.version, index.size]).toEqual([7, 7, 2]);
    expect(index.lineItem('b')?.id).toBe('b');
  });

  it.each([
    [{ stores: ['st', 'x'] }, 'store x'],
    [{ promotedStores: ['x'] }, 'store x'],
    [{ geofences: ['st'] }, 'geofence st'],
    [{ lists: { include: ['x'], exclude: [] } }, 'list x'],
    [{ lists: { include: null, exclude: ['ls', 'y'] } }, 'list y'],
  ])('is refused whole where a line item names what is not there: %j', async (targeting, what) => {
    await put(client, { ...whole, lineItems: [...whole.lineItems, lineItem('c', { targeting: { ...ANY, ...targeting } })] });
    expect(await compile()).toEqual({ version: 7, error: `snapshot: there is no ${what}, which line item c names` });
  });

  it('is refused where a line item is there twice', async () => {
    await put(client, { ...whole, lineItems: [...whole.lineItems, lineItem('a')] });
    expect(await compile()).toEqual({ version: 7, error: 'snapshot: line item a is there twice' });
  });

  it('is refused where its head has any length but its own, or any other format', async () => {
    await put(client, whole);
    const value = await head();
    for (const length of [0, 3, 11, 43, 44, value.length >> 1, value.length - 1])
      expect(await compile(value.subarray(0, length)), `${length}`).toEqual({
        version: length < 12 ? null : 7,
        error: expect.stringMatching(/^snapshot: /),
      });
    const newer = Buffer.from(value);
    newer.writeUInt32LE(3, 4);
    expect(await compile(newer)).toEqual({ version: 7, error: 'snapshot: format 3 is not 2' });
  });

  it.each([
    ['stores', 'stores'],
    ['geofences', 'geofences'],
    ['lineItems', 'line items'],
    ['lists', 'lists'],
  ] as const)('is refused where a part of its %s is cut short, another one or gone', async (kind, name) => {
    await put(client, whole);
    const [digest] = decodeHead(await head()).parts[kind] as [string];
    const bytes = (await client.hgetBuffer(SNAPSHOT_PARTS_KEY, digest)) as Buffer;
    const other = Buffer.from(bytes.toString().replace('"id":"', '"id":"x'));
    for (const broken of [bytes.subarray(0, -1), bytes.subarray(0, 1), Buffer.alloc(0), other]) {
      await client.hset(SNAPSHOT_PARTS_KEY, digest, broken);
      expect(await compile()).toEqual({ version: 7, error: `snapshot: wrong digest of a part of its ${name}` });
    }
    await client.hdel(SNAPSHOT_PARTS_KEY, digest);
    expect(await compile()).toEqual({ version: 7, error: `snapshot: a part of its ${name} is not there` });
  });

  it('is left for the next one where that took its parts away meanwhile', async () => {
    await put(client, whole);
    const value = await head();
    await client.flushall();
    await put(client, { ...whole, version: 8, lineItems: [lineItem('c')] });
    expect(await compile(value)).toBeNull();
  });

  it('is read anew only where it is new', async () => {
    const compiler = createCompiler(client);
    await put(client, whole);
    await compiler.compile(await head());
    await put(client, { ...whole, version: 8, lineItems: [lineItem('c')] });
    // What is not asked for again need not be there.
    for (const kind of ['stores', 'geofences', 'lists'] as const)
      await client.hdel(SNAPSHOT_PARTS_KEY, ...decodeHead(await head()).parts[kind]);
    const { pieces } = (await compiler.compile(await head())) as Compiled;
    expect(openIndex(joined(pieces)).lineItem('c')?.id).toBe('c');
  });

  it('that is refused costs nothing of what is known', async () => {
    const compiler = createCompiler(client);
    await put(client, whole);
    const { pieces } = (await compiler.compile(await head())) as Compiled;
    const broken = { ...whole, lineItems: [lineItem('c', { targeting: { ...ANY, stores: ['x'] } })] };
    await put(client, broken);
    expect(await compiler.compile(await head())).toMatchObject({ error: expect.stringContaining('store x') });
    await put(client, whole);
    await client.del(SNAPSHOT_PARTS_KEY);
    expect(Buffer.concat(((await compiler.compile(await head())) as Compiled).pieces).equals(Buffer.concat(pieces))).toBe(true);
  });

  it('is asked for again, as far as it is not there, where Redis was lost while it was read', async () => {
    const lists = Array.from({ length: 20 }, (_, at) => ({ id: `ls_${at}`, kind: 'domain', entries: `${at}.example` }) as const);
    await put(client, { ...whole, lists: [...whole.lists, ...lists] });
    const value = await head();
    const losing = redis.connect();
    const ask = losing.hmgetBuffer.bind(losing) as (...args: string[]) => Promise<(Buffer | null)[]>;
    const asked: string[][] = [];
    losing.hmgetBuffer = ((key: string, ...digests: string[]) => {
      asked.push(digests);
      if (asked.length === 3) losing.disconnect();
      return ask(key, ...digests);
    }) as typeof losing.hmgetBuffer;
    const compiler = createCompiler(losing);
    await expect(compiler.compile(value)).rejects.toThrow();
    await losing.connect();
    const missed = asked.length;
    expect(openIndex(joined(((await compiler.compile(value)) as Compiled).pieces)).size).toBe(2);
    const again = asked.slice(missed).flat();
    expect(again.length).toBeGreaterThan(0);
    for (const digest of asked[0] as string[]) expect(again).not.toContain(digest);
    expect(new Set(asked.flat()).size).toBe(24);
    losing.disconnect();
  });

  it('that was compiled is refused at any length but its own', async () => {
    await put(client, whole);
    const bytes = joined(((await compile()) as Compiled).pieces);
    for (const length of [0, 3, 40, bytes.byteLength >> 1, bytes.byteLength - 1])
      expect(() => openIndex(bytes.slice(0, length)), `${length}`).toThrow();
  });
});

describe('the folder of indexes', () => {
  let parent: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'walkin-test-'));
  });
  afterEach(() => rmSync(parent, { recursive: true, force: true }));

  it('is for us alone, and takes the place of those whose primary was killed', () => {
    const mine = join(parent, `walkin-index-${hostname()}-${process.pid}-other`);
    const killed = join(parent, `walkin-index-${hostname()}-4194305-gone`);
    const elsewhere = join(parent, 'walkin-index-other.host-4194305-x');
    for (const path of [mine, killed, elsewhere]) writeFileSync(path, '');
    const folder = makeIndexFolder(parent);
    expect([mine, killed, elsewhere].map((path) => existsSync(path))).toEqual([true, false, true]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    removeIndexFolder(folder);
    expect(existsSync(folder)).toBe(false);
  });

  it('gives back what was put there, and keeps one', async () => {
    const folder = makeIndexFolder(parent);
    const bytes = new Uint8Array(9 << 20).map((_, at) => at * 7);
    await writeIndex(folder, 1, [new Uint8Array(3)]);
    const path = await writeIndex(folder, 2, [bytes.subarray(0, 5), bytes.subarray(5, 5), bytes.subarray(5)]);
    expect(Buffer.from(await readIndex(path, createRoom())).equals(bytes)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await keepOnly(path, folder);
    expect(readdirSync(folder)).toEqual(['index-2']);
  });

  it('rejects what is not there, and gives what is cut off as it is', async () => {
    const folder = makeIndexFolder(parent);
    await expect(readIndex(join(folder, 'index-1'), createRoom())).rejects.toThrow('ENOENT');
    const path = await writeIndex(folder, 1, [new Uint8Array(100)]);
    truncateSync(path, 10);
    expect((await readIndex(path, createRoom())).byteLength).toBe(10);
  });
});

describe('the room for indexes', () => {
  const kinds = (sizes: readonly number[]): string[] => {
    const room = createRoom();
    // Held, or what is freed in between would be counted again.
    const held = sizes.map((bytes) => room(bytes));
    return held.map((bytes) => bytes.constructor.name);
  };

  it('is none that the garbage collector counts, but for what would pile up', () => {
    const [shared, counted] = ['SharedArrayBuffer', 'ArrayBuffer'];
    expect(kinds([16, 16, 16, 16].map((mb) => mb << 20))).toEqual([shared, shared, shared, counted]);
    expect(kinds([150, 150, 150].map((mb) => mb << 20))).toEqual([shared, shared, counted]);
  });
});
