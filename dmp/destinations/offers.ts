import type { DmpDeps } from '../deps.ts';
import { scopesOf } from '../keys/roles.ts';
import { type Grounds, guardsOn, readGrounds, restOn, type Use } from '../segments/guards.ts';
import type { Kind, Things } from '../things/things.ts';
import { codesOf } from './formats.ts';
import {
  type AdvertiserOffer,
  type OfferSheet,
  type Offers,
  type ReadSheet,
  readSheet,
  SHEET_CHANNEL,
  SHEET_KEY,
} from './offer-sheet.ts';

export interface OfferLife {
  /** Guard rails are looked at this often. */
  readonly freshMs: number;
  /** Where ClickHouse is busy no page waits for it: a segment that shrank is told for so long at most. */
  readonly keptMs: number;
}

const LIFE: OfferLife = { freshMs: 5_000, keptMs: 60_000 };
const LEAST_MS = 1_000;
const USE: Use = { purpose: 'personalised_ads', destination: 'lookup' };
const KINDS: ReadonlySet<Kind> = new Set(['destination', 'segment', 'source', 'lookalike', 'api-key']);

/** Destinations of the kind that are active. */
export function lookupsOf(things: Things) {
  return things.list('destination').filter(({ body }) => body.kind === 'lookup' && body.status === 'active');
}

export function segmentsOffered(things: Things): string[] {
  return [...new Set(lookupsOf(things).flatMap(({ body }) => body.segments.map(({ segment }) => segment)))];
}

interface Made {
  readonly sheet: OfferSheet;
  readonly read: ReadSheet;
  /** Of whom something on offer was not looked at yet. */
  readonly waiting: ReadonlySet<string>;
}

type Deps = Pick<DmpDeps, 'warehouse' | 'redis' | 'things' | 'log'>;

/**
 * Keeps what pages may be told of, and writes it down in Redis for whoever answers them apart. A change of a thing counts at once: what it takes
 * away is judged by what was read of ClickHouse before, and nothing waits for an engine that is busy.
 */
export function createOffers(deps: Deps, life: Partial<OfferLife> = {}): Offers & { close(): void } {
  const { freshMs, keptMs } = { ...LIFE, ...life };
  const { warehouse, redis, things, log } = deps;
  let grounds: (Grounds & { readonly at: number }) | null = null;
  let made: Made | null = null;
  let reading: Promise<void> | null = null;
  let telling: NodeJS.Immediate | null = null;
  let told = '';
  let isClosed = false;

  const current = (): Made => {
    made ??= makeSheet(things, grounds);
    return made;
  };
  const leftMs = (): number => (grounds === null ? 0 : grounds.at + keptMs - performance.now());
  const read = (): Promise<void> => {
    reading ??= (async () => {
      const at = performance.now();
      grounds = { ...(await readGrounds(warehouse, things, segmentsOffered(things), USE)), at };
      made = null;
      tellSoon();
    })().finally(() => {
      reading = null;
    });
    return reading;
  };
  const readBehind = (): void =>
    void read().catch((error: unknown) => log.warn({ err: error }, 'what pages are told is not renewed'));

  const tell = async (): Promise<void> => {
    if (isClosed || redis.status === 'reconnecting' || redis.status === 'close' || redis.status === 'end') return;
    const { sheet } = current();
    const lastsMs = sheet.offers.some(({ codes }) => codes.length > 0) ? leftMs() : keptMs;
    if (lastsMs <= 0) return;
    const text = JSON.stringify(sheet);
    await redis.set(SHEET_KEY, text, 'PX', Math.ceil(lastsMs));
    if (text !== told) await redis.publish(SHEET_CHANNEL, '');
    told = text;
  };
  // Many changes that come at once are said once.
  const tellSoon = (): void => {
    telling ??= setImmediate(() => {
      telling = null;
      if (current().waiting.size > 0 && reading === null) readBehind();
      tell().catch((error: unknown) => {
        if (!isClosed) log.warn({ err: error }, 'those who answer pages are not told what is on offer');
      });
    });
  };
  things.onChange((kind) => {
    if (isClosed || !KINDS.has(kind)) return;
    made = null;
    tellSoon();
  });
  const timer = setInterval(
    () => {
      if (segmentsOffered(things).length > 0) readBehind();
      else tellSoon();
    },
    Math.max(LEAST_MS, freshMs),
  );
  timer.unref();
  tellSoon();

  const isKnown = (advertiser: string): boolean => {
    const { read, waiting } = current();
    return !waiting.has(advertiser) && (leftMs() > 0 || read.codesOf(advertiser).size === 0);
  };
  const whenKnown = async (advertiser: string) => {
    await read();
    // One that ran already may have begun before the change that made it necessary.
    if (current().waiting.has(advertiser)) await read();
    return current().read.codesOf(advertiser);
  };
  return {
    codesOf: (advertiser) => (isKnown(advertiser) ? current().read.codesOf(advertiser) : whenKnown(advertiser)),
    allows: (origin, advertiser) => current().read.allows(origin, advertiser),
    close: () => {
      isClosed = true;
      clearInterval(timer);
      if (telling !== null) clearImmediate(telling);
    },
  };
}

function makeSheet(things: Things, grounds: Grounds | null): Made {
  const guards = grounds === null ? null : guardsOn(things, grounds, USE);
  const waiting = new Set<string>();
  const offers = new Map<string, { origins: Set<string>; codes: Map<number, AdvertiserOffer['codes'][number][1]> }>();
  for (const { id: destination, body } of lookupsOf(things)) {
    const { advertiser, origins, segments } = body;
    const offer = offers.get(advertiser) ?? { origins: new Set(), codes: new Map() };
    offers.set(advertiser, offer);
    for (const origin of origins) offer.origins.add(origin);
    for (const [segment, code] of codesOf(segments)) {
      if (guards === null || grounds === null || !restOn(things, grounds, segment, USE)) waiting.add(advertiser);
      else if (guards.of(segment).state === 'ready') {
        const number = things.get('segment', segment)?.body.number;
        if (number !== undefined) offer.codes.set(number, { segment, code, destination });
      }
    }
  }
  const sheet: OfferSheet = {
    keys: keysThatMayAsk(things),
    offers: [...offers].map(([advertiser, { origins, codes }]) => ({ advertiser, origins: [...origins], codes: [...codes] })),
  };
  return { sheet, read: readSheet(sheet), waiting };
}

function keysThatMayAsk(things: Things): OfferSheet['keys'] {
  return things.list('api-key').flatMap(({ id, body }) => {
    const scopes = scopesOf(body.role, body.scopes);
    if (!scopes.includes('memberships:read') && !scopes.includes('admin')) return [];
    const { advertiser, role = null, exchange = null, rateLimit = null, hash } = body;
    return [[id, { advertiser, role, exchange, rateLimit, hash, scopes: body.scopes }] as const];
  });
}
