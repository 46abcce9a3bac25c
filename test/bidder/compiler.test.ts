import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkSnapshot } from '../../bidder/compiler/check.ts';
import { compileValue, openCompiled } from '../../bidder/compiler/compiled.ts';
import { keepOnly, makeIndexFolder, readIndex, removeIndexFolder, writeIndex } from '../../bidder/compiler/folder.ts';
import { ANY, encodeSnapshot, type Targeting } from '../../proto/snapshot.ts';
import { geofence, LAT, LON, lineItem, snapshot, store } from './support/live.ts';

const whole = snapshot({
  version: 7,
  stores: [store('st')],
  geofences: [geofence('gf', { type: 'circle', lat: LAT, lon: LON, radius: 100 })],
  lists: [{ id: 'ls', kind: 'domain', entries: 'news.example' }],
  lineItems: [lineItem('a', { targeting: { ...ANY, stores: ['st'], geofences: ['gf'] } }), lineItem('b')],
});

const naming = (targeting: Partial<Targeting>) => ({
  ...whole,
  lineItems: [...whole.lineItems, lineItem('c', { targeting: { ...ANY, ...targeting } })],
});

describe('a snapshot', () => {
  it('that is whole passes', () => expect(() => checkSnapshot(whole)).not.toThrow());

  it.each([
    [{ stores: ['st', 'x'] }, 'store x'],
    [{ promotedStores: ['x'] }, 'store x'],
    [{ geofences: ['st'] }, 'geofence st'],
    [{ lists: { include: ['x'], exclude: [] } }, 'list x'],
    [{ lists: { include: null, exclude: ['ls', 'y'] } }, 'list y'],
  ])('is refused whole where a line item names what is not there: %j', (targeting, what) => {
    expect(() => checkSnapshot(naming(targeting))).toThrow(`snapshot: line item c names ${what}, which is not in it`);
  });

  it('is refused where a line item is there twice', () => {
    const twice = { ...whole, lineItems: [...whole.lineItems, lineItem('a')] };
    expect(() => checkSnapshot(twice)).toThrow('snapshot: line item a is there twice');
  });

  it('is refused at any length but its own, and in any other format', () => {
    const value = encodeSnapshot(whole);
    for (const length of [0, 3, 43, 44, value.length >> 1, value.length - 1])
      expect(() => compileValue(value.subarray(0, length)), `${length}`).toThrow(/^snapshot: /);
    const newer = Buffer.from(value);
    newer.writeUInt32LE(2, 4);
    expect(() => compileValue(newer)).toThrow('snapshot: format 2 is not 1');
  });

  it('is compiled to bytes that open as it', () => {
    const { version, bytes } = compileValue(encodeSnapshot(whole));
    const index = openCompiled(bytes);
    expect([version, index.version, index.size]).toEqual([7, 7, 2]);
    expect(index.lineItem('b')?.id).toBe('b');
  });

  it('that was compiled is refused at any length but its own', () => {
    const { bytes } = compileValue(encodeSnapshot(whole));
    for (const length of [0, 3, 40, bytes.byteLength >> 1, bytes.byteLength - 1])
      expect(() => openCompiled(bytes.slice(0, length)), `${length}`).toThrow();
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
    await writeIndex(folder, 1, new ArrayBuffer(3));
    const path = await writeIndex(folder, 2, bytes.buffer);
    expect(Buffer.from(await readIndex(path)).equals(bytes)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await keepOnly(path, folder);
    expect(readdirSync(folder)).toEqual(['index-2']);
  });

  it('rejects what is not there, and gives what is cut off as it is', async () => {
    const folder = makeIndexFolder(parent);
    await expect(readIndex(join(folder, 'index-1'))).rejects.toThrow('ENOENT');
    const path = await writeIndex(folder, 1, new ArrayBuffer(100));
    truncateSync(path, 10);
    expect((await readIndex(path)).byteLength).toBe(10);
  });
});
