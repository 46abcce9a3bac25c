import { describe, expect, it } from 'vitest';
import { compileIndex } from '../../bidder/core/compile.ts';
import { decide, shutOut } from '../../bidder/core/decide.ts';
import { explain } from '../../bidder/core/explain.ts';
import { buildIndex, type Index, openIndex } from '../../bidder/core/index.ts';
import { NOBODY } from '../../bidder/core/person.ts';
import type { Question } from '../../bidder/core/question.ts';
import { REASONS } from '../../bidder/core/reason.ts';
import { BIDS, COUNTS } from '../../bidder/core/stock.ts';
import { decodeRequest } from '../../bidder/openrtb/decode.ts';
import type { BidRequest } from '../../bidder/openrtb/request.ts';
import type { LiveExchange, Targeting } from '../../proto/snapshot.ts';
import { creative, geofence, lineItem, NOON, snapshot, wireRequest } from './support/live.ts';

const priced = (id: string, cpm: number, targeting: Partial<Targeting> = {}) =>
  lineItem(id, { bid: { maxCpm: cpm * 1e6, distance: null }, targeting });

function questionOf(index: Index, given: Record<string, unknown> = {}): Question {
  return {
    request: decodeRequest(Buffer.from(JSON.stringify(wireRequest(given)))) as BidRequest,
    person: NOBODY,
    exchange: index.exchanges.get('x') as LiveExchange,
    preciseLocation: true,
    childOnly: false,
    now: NOON,
    allowance: () => 1e9,
  };
}

const winner = (index: Index, given: Record<string, unknown> = {}): string =>
  decide(index, questionOf(index, given)).bids[0]?.lineItem.id ?? '';

describe('an index', () => {
  const whole = snapshot({ version: 9, lineItems: [priced('cheap', 1), priced('dear', 3), priced('fair', 2)] });

  it('is the same bytes for the same snapshot', () => {
    expect(Buffer.from(compileIndex(whole)).equals(Buffer.from(compileIndex(whole)))).toBe(true);
  });

  it('holds line items by falling price, and finds them by id', () => {
    const index = buildIndex(whole);
    expect([0, 1, 2].map((position) => index.lineItemAt(position).id)).toEqual(['dear', 'fair', 'cheap']);
    expect([index.version, index.size, index.lineItem('fair')?.position, index.lineItem('Fair')]).toEqual([9, 3, 1, undefined]);
    expect([index.domainsOf('adv_1'), index.domainsOf('adv_2')]).toEqual([['shop.example'], null]);
  });

  it('is refused where it is cut short, of another format, or something else', () => {
    const buffer = compileIndex(whole);
    for (const length of [0, 23, 24, 500, buffer.byteLength - 8])
      expect(() => openIndex(buffer.slice(0, length)), `${length}`).toThrow(/^index: /);
    const newer = buffer.slice(0);
    new DataView(newer).setUint32(4, 3, true);
    expect(() => openIndex(newer)).toThrow('index: format 3 is not 2');
    expect(() => openIndex(new TextEncoder().encode(JSON.stringify(whole)).buffer)).toThrow('index: not an index');
  });

  it.each([
    [{ stores: ['gone'] }, 'store gone'],
    [{ promotedStores: ['gone'] }, 'store gone'],
    [{ geofences: ['gone'] }, 'geofence gone'],
    [{ lists: { include: ['gone'], exclude: [] } }, 'list gone'],
  ])('is not made of a snapshot in which %j leads nowhere', (targeting, named) => {
    const lineItems = [lineItem('whole'), lineItem('broken', { targeting })];
    expect(() => compileIndex(snapshot({ lineItems }))).toThrow(`there is no ${named}, which line item broken names`);
  });

  it('is made of nothing, and bids nothing', () => {
    const index = buildIndex(snapshot());
    expect(decide(index, questionOf(index))).toEqual({ bids: [], ghosts: [], reason: 'no_line_item' });
  });
});

describe('a paused line item', () => {
  it('bids nothing from the next request on, and bids again once it is live', () => {
    const index = buildIndex(snapshot({ lineItems: [priced('dear', 3), priced('fair', 2)] }));
    expect(winner(index)).toBe('dear');
    index.setLive(0, false);
    expect(winner(index)).toBe('fair');
    expect(explain(index, questionOf(index), 0).failures).toEqual([{ reason: 'no_line_item', part: 'live' }]);
    index.setLive(1, false);
    expect(winner(index)).toBe('');
    index.setLive(0, true);
    expect(winner(index)).toBe('dear');
  });
});

describe('a list of inventory', () => {
  it('may have 100,000 entries, which are compared exactly; a domain stands for all under it', () => {
    const entries = Array.from({ length: 100_000 }, (_, at) => `site-${at}.example`);
    const index = buildIndex(
      snapshot({
        lists: [{ id: 'ls', kind: 'domain', entries: [...entries, 'Größe.example'].join('\n') }],
        lineItems: [priced('listed', 2, { lists: { include: ['ls'], exclude: [] } })],
      }),
    );
    const on = (domain: string): string => winner(index, { app: undefined, site: { domain } });
    expect(['site-0.example', 'WWW.site-99999.example', 'größe.example'].map(on)).toEqual(['listed', 'listed', 'listed']);
    expect(['site-100000.example', 'xsite-0.example', 'example', 'site-0.example.org'].map(on)).toEqual(['', '', '', '']);
  });
});

describe('a postal code', () => {
  it('is the same in any case, with spaces, with hyphens and without', () => {
    const inZip = (country: string, zip: string) => ({
      geo: { include: [{ country, region: null, city: null, zip }], exclude: [] },
    });
    const index = buildIndex(
      snapshot({ lineItems: [priced('london', 2, inZip('GBR', 'SW1A1AA')), priced('warsaw', 2, inZip('POL', '00950'))] }),
    );
    const at = (country: string, zip: string): string => winner(index, { device: { geo: { country, zip } } });
    expect(['SW1A 1AA', 'sw1a1aa', ' Sw1a 1aA '].map((zip) => at('GBR', zip))).toEqual(['london', 'london', 'london']);
    expect(['00-950', '00950', '00951', ''].map((zip) => at('POL', zip))).toEqual(['warsaw', 'warsaw', '', '']);
    expect(at('POL', 'SW1A 1AA')).toBe('');
  });
});

describe('many values of one dimension', () => {
  it('are rows as far as there are rows, then terms', () => {
    const lineItems = Array.from({ length: 300 }, (_, at) => priced(`li${at}`, 1 + at / 1_000, { os: [`os${at}`] }));
    const index = buildIndex(snapshot({ lineItems }));
    const on = (os: string): string => winner(index, { device: { os } });
    expect(['os0', 'OS127', 'os128', 'os299', 'os300', ''].map(on)).toEqual(['li0', 'li127', 'li128', 'li299', '', '']);
  });
});

describe('what is counted', () => {
  it('is each reason of the line items that were looked at, and each bid', () => {
    const small = { creatives: [creative('small', { w: 1, h: 1 })] };
    const index = buildIndex(
      snapshot({ lineItems: [priced('dear', 3), { ...priced('small', 2), ...small }, priced('cheap', 0.1)] }),
    );
    const counted = (position: number): Record<string, number> =>
      Object.fromEntries(
        [...REASONS, 'bids'].flatMap((name, at) => {
          const count = index.counts[position * COUNTS + at] ?? 0;
          return count > 0 ? [[name, count]] : [];
        }),
      );
    winner(index);
    decide(index, questionOf(index, { imp: [{ id: '1', banner: { w: 300, h: 250 }, bidfloor: 5 }] }));
    expect(BIDS).toBe(REASONS.length);
    expect([counted(0), counted(2)]).toEqual([{ bids: 1, below_floor: 1 }, {}]);
    expect(index.stages).toMatchObject({ decisions: 2, tried: 1, truncated: 0 });
  });
});

describe('a decision among very many that pass', () => {
  const crowd = (count: number, cpm: (at: number) => number) =>
    buildIndex(snapshot({ lineItems: Array.from({ length: count }, (_, at) => priced(`li${at}`, cpm(at))) }));

  it('looks at few where prices differ', () => {
    const index = crowd(20_000, (at) => 1 + at / 20_000);
    expect(winner(index)).toBe('li19999');
    expect(index.stages).toMatchObject({ tried: 1, truncated: 0 });
    expect(index.stages.reached).toBeLessThan(1_000);
  });

  it('looks no further for an imp that no creative fits', () => {
    const index = crowd(20_000, (at) => 1 + at / 20_000);
    const imp = [
      { id: '1', banner: { w: 300, h: 250 } },
      { id: '2', video: { mimes: ['video/mp4'], w: 640, h: 360 } },
    ];
    expect(decide(index, questionOf(index, { imp })).bids.map(({ lineItem }) => lineItem.id)).toEqual(['li19999']);
    expect(index.stages.reached).toBeLessThan(1_000);
  });

  it('is cut short where prices are equal, which is counted, and still takes turns', () => {
    const index = crowd(5_000, () => 1);
    const winners = new Set(Array.from({ length: 50 }, (_, at) => winner(index, { id: `auction-${at}` })));
    expect(winners.size).toBeGreaterThan(30);
    expect(index.stages.truncated).toBe(50);
  });
});

describe('an index of many line items', () => {
  const many = buildIndex(
    snapshot({ lineItems: Array.from({ length: 1_000 }, (_, at) => priced(`li_${at}`, 1, { segments: [[at + 1]] })) }),
  );
  const few = buildIndex(snapshot({ lineItems: [priced('one', 1, { segments: [[1]] })] }));
  const film = { imp: [{ id: '1', video: { mimes: ['video/mp4'], w: 640, h: 360 } }] };

  it('shuts out what no creative fits before it is known who is asked for', () => {
    expect([shutOut(many, questionOf(many)), shutOut(many, questionOf(many, film))]).toEqual([null, 'no_creative']);
    expect(decide(many, questionOf(many, film))).toEqual({ bids: [], ghosts: [], reason: 'no_creative' });
    expect(many.stages.decisions).toBe(0);
  });

  it('asks each of few line items why, whatever fits', () => {
    expect(shutOut(few, questionOf(few, film))).toBeNull();
    expect(decide(few, questionOf(few, film)).reason).toBe('unmatched_user');
  });

  it('tells briefly what only its price kept from being bid, as it does at length', () => {
    const dear = { imp: [{ ...(wireRequest()['imp'] as object[])[0], bidfloor: 5 }] };
    const lineItems = Array.from({ length: 1_000 }, (_, at) => priced(`li_${at}`, 1, { makes: ['samsung'] }));
    const index = buildIndex(snapshot({ lineItems }));
    // At one of eight auctions it is looked for at length.
    const reasons = Array.from(
      { length: 24 },
      (_, at) => decide(index, questionOf(index, { ...dear, id: `a${at}`, device: { make: 'Samsung' } })).reason,
    );
    expect(new Set(reasons)).toEqual(new Set(['below_floor']));
  });
});

describe('what is explained', () => {
  it('is everything that does not hold, each part by its name', () => {
    const fence = geofence('gf', { type: 'circle', lat: 10, lon: 20, radius: 300 });
    const targeting: Partial<Targeting> = {
      ...{ geofences: ['gf'], exchanges: ['y'], deviceTypes: [2], os: ['ios'], makes: ['apple'] },
      ...{ segments: [[7]], eids: ['uid.example'], dayparts: [], languages: ['de'], deals: ['d'] },
      supply: { completeOnly: true, maxHops: null, sellers: null },
      content: { include: ['IAB1'], exclude: [], languages: null },
      geo: { include: [{ country: 'USA', region: null, city: null, zip: null }], exclude: [] },
    };
    const index = buildIndex(snapshot({ geofences: [fence], lineItems: [lineItem('li', { targeting, end: NOON })] }));
    const { failures } = explain(index, { ...questionOf(index), childOnly: true }, 0);
    expect(Object.fromEntries(failures.map(({ part, reason }) => [part, reason]))).toEqual({
      geofences: 'outside_fence',
      exchanges: 'no_line_item',
      flight: 'flight',
      childSafe: 'privacy',
      deviceTypes: 'unsupported_device',
      os: 'unsupported_device',
      languages: 'unsupported_device',
      content: 'inventory',
      geo: 'outside_area',
      makes: 'unsupported_device',
      dayparts: 'daypart',
      supply: 'incomplete_chain',
      person: 'unmatched_user',
      eids: 'segment',
      deals: 'deal',
    });
  });

  it('counts nothing', () => {
    const index = buildIndex(snapshot({ lineItems: [priced('a', 1, { os: ['ios'] })] }));
    explain(index, questionOf(index), 0);
    expect([index.counts.some((count) => count > 0), index.stages.decisions, index.stages.reached]).toEqual([false, 0, 0]);
  });
});
