import { describe, expect, it } from 'vitest';
import type { Schain } from '../../bidder/openrtb/request.ts';
import { compileSupply, screenSupply } from '../../bidder/supply.ts';

const LISTS = compileSupply({
  adsTxt: {
    'news.example': 'ssp.example/pub-1\nexchange.example/seat-9',
    'com.example.game': 'ssp.example/pub-2',
    'closed.example': '',
  },
  sellers: { 'ssp.example': 'Ppub-1\nPpub-2\nIreseller' },
});
const ANY = { completeOnly: false, maxHops: null, sellers: null };
const chain = (...nodes: string[]): Schain => ({
  complete: true,
  nodes: nodes.map((node) => ({ asi: node.split('/')[0] as string, sid: node.split('/')[1] ?? '', hp: true })),
});

function screen(
  rule: Partial<Parameters<typeof screenSupply>[0]>,
  schain: Schain | null,
  given: { domain?: string; bundle?: string } = {},
) {
  const inventory = { kind: 'site', id: '', domain: '', bundle: '', page: '', publisher: '', categories: [], ...given } as const;
  return screenSupply({ ...ANY, ...rule }, { schain, inventory: inventory as never }, LISTS);
}

describe('a rule of the supply path', () => {
  it('that asks for nothing passes all', () => {
    expect(screen({}, null)).toBeNull();
    expect(screen({}, { complete: false, nodes: [] })).toBeNull();
  });

  it('for complete chains passes neither a part of one nor none', () => {
    expect(screen({ completeOnly: true }, chain('ssp.example/pub-1'))).toBeNull();
    expect(screen({ completeOnly: true }, { ...chain('ssp.example/pub-1'), complete: false })).toBe('incomplete_chain');
    expect(screen({ completeOnly: true }, chain())).toBe('incomplete_chain');
    expect(screen({ completeOnly: true }, null)).toBe('incomplete_chain');
  });

  it('for at most so many hops passes a chain of as many', () => {
    expect(screen({ maxHops: 2 }, chain('a.example/1', 'b.example/2'))).toBeNull();
    expect(screen({ maxHops: 1 }, chain('a.example/1', 'b.example/2'))).toBe('blocked_node');
  });

  it('for sellers asks for each node, by its system or by its account', () => {
    const sellers = ['ssp.example', 'exchange.example/seat-9'];
    expect(screen({ sellers }, chain('SSP.example/any', 'exchange.example/seat-9'))).toBeNull();
    expect(screen({ sellers }, chain('ssp.example/any', 'exchange.example/seat-8'))).toBe('blocked_node');
    expect(screen({ sellers }, null)).toBe('incomplete_chain');
  });

  it('passes no chain that is longer than any real one, unless it asks for nothing', () => {
    const long = chain(...Array.from({ length: 51 }, () => 'ssp.example/pub-1'));
    expect(screen({ sellers: ['ssp.example'] }, long)).toBe('blocked_node');
    expect(screen({ authorizedOnly: true }, long)).toBe('blocked_node');
    expect(screen({}, long)).toBeNull();
  });

  it('for authorised sellers asks the ads.txt of the site for the first and the last node', () => {
    const authorizedOnly = true;
    const site = { domain: 'www.news.example' };
    expect(screen({ authorizedOnly }, chain('ssp.example/pub-1', 'exchange.example/seat-9'), site)).toBeNull();
    expect(screen({ authorizedOnly }, chain('ssp.example/pub-1', 'other.example/1'), site)).toBe('ads_txt_violated');
    expect(screen({ authorizedOnly }, chain('ssp.example/pub-2'), site)).toBe('ads_txt_violated');
    expect(screen({ authorizedOnly }, null, site)).toBe('ads_txt_unavailable');
    expect(screen({ authorizedOnly }, chain('ssp.example/pub-2'), { bundle: 'com.example.game' })).toBeNull();
    expect(screen({ authorizedOnly }, chain('ssp.example/pub-2'), { domain: 'closed.example' })).toBe('ads_txt_violated');
  });

  it('for authorised sellers passes a site whose ads.txt is not known', () => {
    expect(screen({ authorizedOnly: true }, chain('other.example/1'), { domain: 'unknown.example' })).toBeNull();
    expect(screen({ authorizedOnly: true }, null, { domain: 'example' })).toBeNull();
  });

  it('for authorised sellers asks the sellers.json of each system that is known', () => {
    const authorizedOnly = true;
    expect(screen({ authorizedOnly }, chain('ssp.example/nobody'))).toBe('blocked_node');
    expect(screen({ authorizedOnly }, chain('ssp.example/reseller', 'b.example/2'))).toBe('incomplete_chain');
    expect(screen({ authorizedOnly }, chain('b.example/2', 'ssp.example/reseller'))).toBeNull();
  });
});
