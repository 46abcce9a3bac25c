import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { capField } from '../../bidder/core/person.ts';
import { auctionTypeOf } from '../../bidder/core/ways.ts';
import { decodeNotes, decodeRequest } from '../../bidder/openrtb/decode.ts';
import { permissionOf } from '../../bidder/privacy.ts';
import type { AdEvent } from '../../proto/ad-event.ts';
import { identifierKey, keyIdentifier } from '../../proto/identifier.ts';
import { capsKey, dayOf, profileKey } from '../../proto/keys.ts';
import { consentHash } from '../../proto/privacy/consent-hash.ts';
import { PRIVACY_REASONS } from '../../proto/privacy/table.ts';
import { tcString } from '../proto/privacy/strings.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { adEvents, eventually, PEPPER, pixelOf, publish, startBidder, type TestBidder } from './support/bidder.ts';
import { exchange, LAT, LON, lineItem, NOON, snapshot, store, wireRequest } from './support/live.ts';
import { profileValue } from './support/person.ts';

const HOUR = 3_600_000;
const OURS = 42;
const IFA = '6f2b1c0e-7d2a-4d57-9b1a-0b6a5c4d3e2f';
const ANCHOR = '0b0e8c8e-3333-8333-8333-0123456789ab';
const key = keyIdentifier({ kind: 'ifa', value: IFA }, PEPPER) as string;

let redis: TestRedis;
let bidder: TestBidder;

beforeAll(async () => {
  redis = await startRedis();
  const client = redis.connect();
  await publish(
    client,
    snapshot({
      exchanges: [exchange('x', { simulated: true })],
      stores: [store('s')],
      lineItems: [
        lineItem('any', { targeting: { promotedStores: ['s'] } }),
        lineItem('fans', { bid: { maxCpm: 5_000_000, distance: null }, targeting: { segments: [[7]], stores: ['s'] } }),
        lineItem('capped', {
          bid: { maxCpm: 4_000_000, distance: null },
          caps: [{ count: 2, windowMs: HOUR }],
          targeting: { stores: ['s'] },
        }),
      ],
    }),
  );
  await client.set(profileKey(key), profileValue([7], Date.now(), { anchor: ANCHOR }));
  bidder = await startBidder(redis.path, { vendor: OURS, pollMs: 60_000 });
});

afterAll(async () => {
  await bidder?.close();
  await redis?.stop();
});

const consent = (given: Parameters<typeof tcString>[0]) => ({
  regs: { gdpr: 1 },
  user: {
    id: 'theirs',
    consent: tcString({ purposes: [1, 2, 3, 4, 7], features: [1], vendors: [OURS], disclosed: [OURS], ...given }),
  },
});
const limited = { device: { ifa: IFA, lmt: 1, geo: { lat: LAT, lon: LON, type: 1, accuracy: 10 } }, user: { id: 'theirs' } };
const at = (now: number) => ({ 'x-walkin-time': String(now) });

async function eventsOf(bid: string, count: number): Promise<AdEvent[]> {
  return eventually(
    async () => (await adEvents(redis.connect())).filter((event) => event.bid === bid),
    (found) => found.length >= count,
  );
}

describe('a bid', () => {
  it('says who and where, and why it may, where all is allowed', async () => {
    const bid = await bidder.onlyBid(wireRequest(consent({})), at(NOON));
    expect(bid.price).toBe(5);
    const [event] = await eventsOf(bid.id, 1);
    expect(event).toMatchObject({ identifier: key, anchor: ANCHOR, store: 's', metres: 0, privacy: 'gdpr_consent' });
  });

  it('tells by a hash which strings that was read from, in each of its events, and the strings in none', async () => {
    const signals = consent({});
    const strings = { consent: signals.user.consent, gpp: 'DBAA', usPrivacy: '1YNN' };
    const regs = { gdpr: 1, us_privacy: strings.usPrivacy, gpp: strings.gpp };
    const bid = await bidder.onlyBid(wireRequest({ ...signals, regs, at: 1 }), at(NOON));
    await bidder.call(pixelOf(bid), {}, at(NOON));
    const events = await eventsOf(bid.id, 2);
    for (const event of events) expect(event).toMatchObject({ consent: consentHash(strings), auctionType: 1 });
    const kept = JSON.stringify(events) + Buffer.from(/[?&]d=([^&"]+)/.exec(pixelOf(bid))?.[1] ?? '', 'base64url');
    for (const text of Object.values(strings)) expect(kept).not.toContain(text);
    expect(consentHash(strings)).toMatch(/^[0-9a-f]{16}$/);
    expect(consentHash({ ...strings, gpp: '', usPrivacy: '' })).not.toBe(consentHash(strings));
    expect(consentHash({ consent: '', gpp: '', usPrivacy: '' })).toBe('');
  });

  it('is of the type of auction that the request says, else of the one that is usual at the exchange', async () => {
    const types: unknown[] = [];
    for (const type of [1, 2, undefined, 'ab', 501]) {
      const bid = await bidder.onlyBid(wireRequest({ id: `at-${type}`, at: type, regs: { gdpr: 0 } }), at(NOON));
      types.push((await eventsOf(bid.id, 1))[0]?.auctionType);
    }
    expect(types).toEqual([1, 2, 2, 2, 2]);
    expect([auctionTypeOf(0, { defaultAuction: 1 }), auctionTypeOf(3, { defaultAuction: 1 })]).toEqual([1, 3]);
  });

  it('without a profile is made by place and count, and says who but not where', async () => {
    const bid = await bidder.onlyBid(wireRequest(consent({ purposes: [1, 2, 7] })), at(NOON));
    expect(bid.price).toBe(4);
    const [event] = await eventsOf(bid.id, 1);
    expect(event).toMatchObject({ identifier: key, anchor: key, store: '', metres: null, privacy: 'gdpr_no_profile' });
  });

  it('where tracking is limited names nobody, and counts under a key of the day that no event tells', async () => {
    const bid = await bidder.onlyBid(wireRequest(limited), at(NOON));
    expect(bid.price).toBe(4);
    expect((await bidder.call(pixelOf(bid), {}, at(NOON))).statusCode).toBe(200);
    const events = await eventsOf(bid.id, 2);
    for (const event of events)
      expect(event).toMatchObject({ identifier: '', anchor: '', store: 's', metres: null, privacy: 'limited_tracking' });
    const dayKey = identifierKey('exchange', `x:theirs\n${dayOf(NOON)}`, PEPPER);
    expect(await redis.connect().hgetall(capsKey(dayKey))).toEqual({ [capField('capped', HOUR, NOON)]: '1' });
    await redis.connect().hset(capsKey(dayKey), capField('capped', HOUR, NOON), 2);
    expect((await bidder.onlyBid(wireRequest(limited), at(NOON))).price).toBe(2);
  });

  it('is not made where GDPR applies and nothing is consented to, and the reason is counted', async () => {
    const before = await bidder.count('privacy', { why: 'gdpr_no_string' });
    expect((await bidder.bid(wireRequest({ regs: { gdpr: 1 } }))).statusCode).toBe(204);
    expect(await bidder.count('privacy', { why: 'gdpr_no_string' })).toBe(before + 1);
  });

  it('asks the store for nobody where nobody may be asked for', async () => {
    const reads = async () => Number(/cmdstat_get:calls=(\d+)/.exec(await redis.connect().info('commandstats'))?.[1] ?? 0);
    const before = await reads();
    for (const request of [
      limited,
      { regs: { us_privacy: '1YYN' }, user: { buyeruid: 'ours' } },
      { regs: { coppa: 1 } },
      consent({ purposes: [1, 2, 7] }),
    ])
      await bidder.bid(wireRequest(request));
    expect(await reads()).toBe(before);
  });
});

const CORPUS = join(process.env['WALKIN_SHARED'] ?? '../shared', 'data/openrtb');

describe.skipIf(!existsSync(CORPUS))('requests of others', () => {
  it('all have a permission with a reason of the table', () => {
    const files = readdirSync(CORPUS, { recursive: true })
      .map(String)
      .filter((file) => file.endsWith('.json') && !file.endsWith('manifest.json'));
    let read = 0;
    for (const file of files) {
      const request = decodeRequest(readFileSync(join(CORPUS, file)), 'json', decodeNotes());
      if (typeof request === 'string') continue;
      read++;
      expect(PRIVACY_REASONS).toContain(permissionOf(request).why);
    }
    expect(read).toBeGreaterThan(200);
  });
});
