import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Choice } from '../../bidder/core/choice.ts';
import { decide } from '../../bidder/core/decide.ts';
import type { SpotFit } from '../../bidder/core/fit-spot.ts';
import { buildIndex } from '../../bidder/core/index.ts';
import { NOBODY, type Person, UNREAD, WITHHELD } from '../../bidder/core/person.ts';
import { decodeRequest } from '../../bidder/openrtb/decode.ts';
import { identifiersOf } from '../../bidder/person-keys.ts';
import { permissionOf } from '../../bidder/privacy.ts';
import type { Fence } from '../../proto/fence.ts';
import { type WeekHours, weekSpans } from '../../proto/hours.ts';
import { createConsents } from '../../proto/privacy/permission.ts';
import type { LiveExchange, LiveStore, Snapshot } from '../../proto/snapshot.ts';
import {
  creative,
  exchange,
  type GivenLineItem,
  geofence,
  lineItem,
  NOON,
  snapshot,
  store,
  wireRequest,
} from './support/live.ts';
import { profileValue } from './support/person.ts';

/**
 * Fixtures as specification: a file's name is the sentence, its parts are laid over the plain things of `support/live.ts`.
 * `exemplary` is what is bid, `supplemental` what is not, and the edges.
 * `expect`: `bids` / `ghosts` = the line items that win (with price and store where given), and `reason` of what does not bid.
 */
interface Fixture {
  readonly exchange?: Partial<LiveExchange>;
  readonly stores?: Record<string, Partial<LiveStore> & { opening?: WeekHours }>;
  readonly geofences?: Record<string, Fence>;
  readonly lineItems: Record<string, GivenLineItem & { dayparts?: WeekHours }>;
  readonly person?: { state?: Person['state']; segments?: readonly number[]; caps?: Record<string, number> };
  readonly now?: string;
  readonly request?: Record<string, unknown>;
  /** Units for one dollar, published at noon of the fixtures' day unless `at` says when. */
  readonly rates?: { readonly at?: string; readonly perUsd: Record<string, number> };
  /** Micros free for each limited line item. */
  readonly allowance?: number;
  readonly expect: { bids?: Expected[]; ghosts?: Expected[]; reason?: string };
}

interface Expected {
  readonly imp?: string;
  readonly lineItem?: string;
  readonly creative?: string;
  readonly store?: string | null;
  readonly price?: number;
  readonly metres?: number | null;
  readonly type?: string;
  readonly deal?: string | null;
  /** Of the response, and the price in it. */
  readonly currency?: string;
  readonly cpm?: number;
  /** Micros that the budget is charged. */
  readonly cost?: number;
  /** Version and files of a spot, and when it may be skipped. */
  readonly spot?: { readonly version?: string; readonly files?: readonly string[]; readonly skipAfter?: number | null };
  /** Answers to native assets by their ids. */
  readonly assets?: Record<string, string>;
}

/** Our vendor in the consent strings of fixtures. */
const CONSENTS = createConsents(42);
const FOLDERS = ['exemplary', 'supplemental'] as const;

describe.each(FOLDERS)('a decision, %s', (name) => {
  const folder = new URL(`./fixtures/${name}/`, import.meta.url);
  for (const file of readdirSync(folder)) {
    it(file.slice(0, -5).replaceAll('-', ' '), () => {
      const fixture = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Fixture;
      const decision = run(fixture);
      const { bids = [], ghosts = [], reason } = fixture.expect;
      expect(decision.bids).toMatchObject(bids);
      expect(decision.ghosts).toMatchObject(ghosts);
      expect([decision.bids.length, decision.ghosts.length]).toEqual([bids.length, ghosts.length]);
      if (reason !== undefined) expect(decision.reason).toBe(reason);
    });
  }
});

function run(fixture: Fixture) {
  const request = decodeRequest(Buffer.from(JSON.stringify(wireRequest(fixture.request))));
  if (typeof request === 'string') return { bids: [], ghosts: [], reason: request };
  const permission = permissionOf(request, CONSENTS);
  if (!permission.bid) return { bids: [], ghosts: [], reason: 'privacy' };
  const now = fixture.now === undefined ? NOON : Date.parse(fixture.now);
  const isNamed = identifiersOf(request, 'x', 'pepper', permission, now).length > 0;
  const { bids, ghosts, reason } = decide(indexOf(fixture), {
    request,
    person: permission.profile
      ? personOf(fixture, now)
      : isNamed
        ? { ...personOf(fixture, now), state: 'counted', memberships: [] }
        : WITHHELD,
    exchange: exchange('x', fixture.exchange),
    preciseLocation: permission.preciseLocation,
    childOnly: permission.childOnly,
    now,
    allowance: () => fixture.allowance ?? 0,
  });
  return { bids: bids.map(plain), ghosts: ghosts.map(plain), reason };
}

function plain({ imp, lineItem: item, creative: ad, fit, store: shown, deal, ...choice }: Choice) {
  return {
    imp: imp.id,
    lineItem: item.id,
    creative: ad.id,
    store: shown?.id ?? null,
    price: choice.price,
    metres: choice.metres === null ? null : Math.round(choice.metres),
    type: ad.type,
    deal: deal?.id ?? null,
    currency: choice.currency,
    cpm: choice.cpm,
    cost: choice.cost,
    spot: 'spot' in fit ? plainSpot(fit.spot) : null,
    assets:
      'assets' in fit ? Object.fromEntries(fit.assets.map((one) => [one.id, one.kind === 'img' ? one.url : one.text])) : null,
  };
}

function plainSpot({ format, media, skipAfter }: SpotFit) {
  return { version: `${format.root} ${format.version}`, files: media.map(({ url }) => url), skipAfter };
}

function indexOf(fixture: Fixture) {
  return buildIndex(
    snapshot({
      rates: ratesOf(fixture),
      exchanges: [exchange('x', fixture.exchange)],
      stores: Object.entries(fixture.stores ?? {}).map(([id, { opening, ...given }]) =>
        store(id, { ...given, ...(opening === undefined ? {} : { hours: weekSpans(opening) }) }),
      ),
      geofences: Object.entries(fixture.geofences ?? {}).map(([id, fence]) => geofence(id, fence)),
      lineItems: Object.entries(fixture.lineItems).map(([id, { dayparts, ...given }]) => {
        const creatives = given.creatives?.map((ad) => creative(ad.id, ad));
        const targeting = { ...given.targeting, ...(dayparts === undefined ? {} : { dayparts: weekSpans(dayparts) }) };
        return lineItem(id, { ...given, targeting, ...(creatives === undefined ? {} : { creatives }) });
      }),
    }),
  );
}

function ratesOf({ rates }: Fixture): Snapshot['rates'] {
  return rates === undefined ? null : { at: rates.at === undefined ? NOON : Date.parse(rates.at), perUsd: rates.perUsd };
}

function personOf({ person }: Fixture, now: number): Person {
  if (person?.state === 'nobody') return NOBODY;
  if (person?.state === 'unread') return UNREAD;
  const { caps = {}, segments = [], state = 'known' } = person ?? {};
  const anchor = '11111111-1111-8111-8111-111111111111';
  const memberships = segments.length === 0 ? [] : [profileValue(segments, now)];
  return { state, identifier: anchor, anchor, memberships, caps: new Map(Object.entries(caps)) };
}
