import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shapeIn, shapesOf } from '../../proto/shapes.ts';
import type { LiveCreative, Snapshot } from '../../proto/snapshot.ts';
import {
  checkPart,
  decodeHead,
  encodeHead,
  partsOf,
  readLineItems,
  splitSnapshot,
  surroundingsOf,
  thingsIn,
  versionIn,
} from '../../proto/snapshot-parts.ts';
import { exchange, geofence, LAT, LON, lineItem, snapshot, store } from '../bidder/support/live.ts';

const WHOLE = snapshot({
  version: 7,
  exchanges: [exchange('x'), exchange('y')],
  stores: [store('st_1'), store('st_2')],
  geofences: [geofence('gf_1', { type: 'circle', lat: LAT, lon: LON, radius: 300 })],
  lists: [{ id: 'ls_1', kind: 'domain', entries: 'news.example' }],
  lineItems: Array.from({ length: 3_000 }, (_, at) =>
    lineItem(`li_${at}`, { advertiser: `adv_${at % 3}`, targeting: at % 2 === 0 ? { os: ['ios'], stores: [] } : {} }),
  ),
  supply: { adsTxt: { 'news.example': 'ssp.example/1' }, sellers: {} },
});

/** What is read of a line item to compile it: all before its creatives. */
function headOf(written: object): object {
  return Object.fromEntries(Object.entries(written).slice(0, Object.keys(written).indexOf('creatives')));
}

function inLines(things: readonly object[]): string {
  return `[\n${things.map((thing) => JSON.stringify(thing)).join(',\n')}\n]`;
}

function joined({ head, parts }: ReturnType<typeof splitSnapshot>): Snapshot {
  const read = decodeHead(encodeHead(head));
  const lineItems = read.parts.lineItems.flatMap((digest) => thingsIn('lineItems', parts.get(digest) as Buffer));
  return { ...surroundingsOf(read, (kind, digest) => thingsIn(kind, parts.get(digest) as Buffer)), lineItems };
}

describe('a snapshot in parts', () => {
  it('is the same when it is put together, in the same order', () => {
    expect(joined(splitSnapshot(WHOLE))).toEqual(WHOLE);
    const { supply: _, ...rest } = snapshot({ lineItems: [] });
    expect(joined(splitSnapshot(rest))).toEqual(rest);
  });

  it('says in its head how many line items of each advertiser are live', () => {
    expect(splitSnapshot(WHOLE).head.lineItems).toEqual({ adv_0: 1_000, adv_1: 1_000, adv_2: 1_000 });
  });

  it('shares all parts but one with itself after a line item changed, came or went', () => {
    const { lineItems } = WHOLE;
    const before = splitSnapshot(WHOLE).parts;
    expect(before.size).toBeGreaterThan(8);
    fc.assert(
      fc.property(fc.nat(lineItems.length - 1), fc.constantFrom('changed', 'came', 'went'), (at, what) => {
        const changed = [...lineItems];
        if (what === 'changed') changed[at] = { ...(lineItems[at] as (typeof lineItems)[number]), bundle: 'com.new' };
        else if (what === 'went') changed.splice(at, 1);
        else changed.splice(at, 0, lineItem('new'));
        const after = splitSnapshot({ ...WHOLE, version: 8, lineItems: changed }).parts;
        // Two where the end of a page came or went.
        expect([...after.keys()].filter((digest) => !before.has(digest)).length).toBeLessThanOrEqual(2);
      }),
      { numRuns: 30 },
    );
  });

  it('has parts of a bounded size, whatever the ids are', () => {
    const { head, parts } = splitSnapshot({ ...WHOLE, lineItems: Array.from({ length: 5_000 }, () => lineItem('a')) });
    const sizes = head.parts.lineItems.map((digest) => JSON.parse((parts.get(digest) as Buffer).toString()).length as number);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_024);
  });

  it('has each line item as a text of its own, which begins with its id', () => {
    const escaped = lineItem('li_\u2028', { bundle: 'a\n,\n"]\r\n{"id":","creatives":[', domains: ['привет.example'] });
    const { head, parts } = splitSnapshot({ ...WHOLE, lineItems: [escaped, ...WHOLE.lineItems.slice(0, 400)] });
    for (const digest of head.parts.lineItems) {
      const part = parts.get(digest) as Buffer;
      const { bytes, lineItems, spans } = readLineItems(part);
      const texts = lineItems.map((_, at) => Buffer.from(bytes.subarray(spans[2 * at], spans[2 * at + 1])).toString());
      expect(bytes).toBe(part);
      expect(texts.map((text) => headOf(JSON.parse(text)))).toEqual(lineItems);
      for (const [at, text] of texts.entries()) expect(text.startsWith(`{"id":"${lineItems[at]?.id}"`)).toBe(true);
    }
    expect(head.parts.lineItems.length).toBeGreaterThan(1);
  });

  it('tells the shapes of creatives, each once', () => {
    const base = { id: 'cr', landing: '', iurl: null, attributes: [], language: null, blockedExchanges: [] };
    const banner = (html: string, w = 300) => ({ ...base, type: 'banner' as const, w, h: 250, html });
    const media = (url: string) => [{ url, mime: 'video/mp4', bitrate: 1, w: 1, h: 1 }];
    const creatives: LiveCreative[] = [
      banner('<img src="https://a.example/1.png">'),
      banner('<img src="https://b.example/2.png">'),
      banner('<svg xmlns="http://www.w3.org/2000/svg"></svg><script>1</script>', 320),
      banner('now! <iframe src="http://a.example">'),
      { ...base, type: 'video', duration: 5, skipAfter: null, title: '', media: media('https://a.example/a.mp4') },
      { ...base, type: 'audio', duration: 5, title: '', media: media('http://a.example/a.mp3') },
    ];
    expect(shapesOf(creatives).map(shapeIn)).toEqual([
      { type: 'banner', secure: true, w: 300, h: 250, kinds: [2] },
      { type: 'banner', secure: true, w: 320, h: 250, kinds: [2, 3] },
      { type: 'banner', secure: false, w: 300, h: 250, kinds: [1, 4] },
      { type: 'video', secure: true, w: 0, h: 0, kinds: [] },
      { type: 'audio', secure: false, w: 0, h: 0, kinds: [] },
    ]);
    const { head, parts } = splitSnapshot({ ...WHOLE, lineItems: [lineItem('a', { creatives })] });
    const { lineItems } = readLineItems(parts.get(head.parts.lineItems[0] as string) as Buffer);
    expect(lineItems[0]?.shapes).toEqual(shapesOf(creatives));
  });

  it.each([
    ['in one line', (things: unknown) => JSON.stringify(things)],
    ['in more lines', (things: unknown) => JSON.stringify(things, null, 1)],
    ['without shapes', (things: object[]) => inLines(things.map((thing) => ({ ...thing, shapes: undefined })))],
    [
      'with shapes behind its creatives',
      (things: { shapes?: unknown }[]) => inLines(things.map(({ shapes, ...rest }) => ({ ...rest, shapes }))),
    ],
    [
      'with the id behind',
      (things: object[]) => JSON.stringify(things.map(({ id, ...rest }: { id?: string }) => ({ ...rest, id }))),
    ],
  ])('that was written %s is read all the same', (_how, write) => {
    const { head, parts } = splitSnapshot(WHOLE);
    const part = parts.get(head.parts.lineItems[0] as string) as Buffer;
    const { bytes, lineItems, spans } = readLineItems(Buffer.from(write(JSON.parse(part.toString()) as object[])));
    const published = JSON.parse(part.toString()) as object[];
    expect(lineItems).toEqual(published.map(headOf));
    const last = spans.subarray(-2);
    expect(JSON.parse(Buffer.from(bytes.subarray(last[0], last[1])).toString())).toEqual(published.at(-1));
  });

  it('is refused where any byte of its head or of a part is another one', () => {
    const small = splitSnapshot({ ...WHOLE, lineItems: WHOLE.lineItems.slice(0, 3) });
    const head = encodeHead(small.head);
    const broken = (bytes: Buffer, at: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy[at % bytes.length] = (copy[at % bytes.length] as number) ^ 1;
      return copy;
    };
    fc.assert(
      fc.property(fc.nat(head.length - 1), (at) => {
        if (at >= 8 && at < 12) return; // The version in the header is information only.
        expect(() => decodeHead(broken(head, at))).toThrow('snapshot:');
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...partsOf(small.head)), fc.nat(100_000), (part, at) => {
        const bytes = small.parts.get(part.digest) as Buffer;
        expect(() => checkPart(part, bytes)).not.toThrow();
        expect(() => checkPart(part, broken(bytes, at))).toThrow(/^snapshot: wrong digest of a part of its /);
      }),
    );
  });

  it('tells its version also where it is broken, or of another format', () => {
    const head = encodeHead(splitSnapshot(WHOLE).head);
    expect([head, head.subarray(0, 12), head.subarray(0, 11), Buffer.from('rubbish that is no head')].map(versionIn)).toEqual([
      7,
      7,
      null,
      null,
    ]);
  });
});
