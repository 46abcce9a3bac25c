import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Redis } from 'ioredis';
import { type Identifier, keyIdentifier } from '../proto/identifier.ts';
import { AD_EVENT_STREAM } from '../proto/keys.ts';
import type { Match } from '../proto/match.ts';
import { olderPeppers } from '../proto/pepper.ts';
import { type Consents, type PrivacySignals, permissionFor } from '../proto/privacy/permission.ts';
import type { LiveExchange } from '../proto/snapshot.ts';
import { newCookie, readCookie, setCookie } from './cookie.ts';
import type { Index } from './core/index.ts';
import type { Metrics } from './metrics.ts';
import { PIXEL } from './pixel.ts';

export interface SyncDeps {
  readonly current: () => Index | null;
  readonly consents: Consents;
  readonly pepper: string;
  readonly metrics: Metrics;
  /** Keeps a match; rejects where that is not sure. */
  readonly keep: (match: Match) => Promise<void>;
  /** Epoch ms. */
  readonly now: () => number;
}

type Query = Readonly<Record<string, string | readonly string[] | undefined>>;
type Call = FastifyRequest<{ Params: { exchange: string }; Querystring: Query }>;
type Result = 'matched' | 'sent' | 'refused' | 'unreadable' | 'storage';

/**
 * User sync, both ways. `/sync/<exchange>?uid=…` is the exchange's pixel: it brings the exchange's id of this browser, which is
 * matched with our cookie. `/sync/<exchange>/out` is ours: it leads to the exchange's sync address with our id. Consent comes as
 * `gdpr`, `gdpr_consent`, `us_privacy`, `gpp`, `gpp_sid`; without it nothing is read, set, kept or sent.
 */
export function registerSyncRoutes(app: FastifyInstance, deps: SyncDeps): void {
  app.get('/sync/:exchange', (request, reply) => matchIn(deps, request as Call, reply));
  app.get('/sync/:exchange/out', (request, reply) => sendOut(deps, request as Call, reply));
}

/** Keeps matches in the stream of ad events. */
export function createMatches(redis: Redis): SyncDeps['keep'] {
  return async (match) => {
    await redis.xadd(AD_EVENT_STREAM, '*', 'e', JSON.stringify(match));
  };
}

async function matchIn(deps: SyncDeps, request: Call, reply: FastifyReply): Promise<FastifyReply> {
  reply.header('cache-control', 'no-store');
  const exchange = exchangeOf(deps, request);
  if (exchange === null) return reply.code(404).send();
  const count = (result: Result) => deps.metrics.syncs.inc({ exchange: exchange.id, way: 'in', result });
  if (!maySync(deps, request)) {
    count('refused');
    return sendPixel(reply);
  }
  const own = readCookie(request.headers.cookie) ?? newCookie();
  const theirs: Identifier = { kind: 'exchange', value: `${exchange.id}:${textOf(request.query, 'uid')}` };
  const ours: Identifier = { kind: 'cookie', value: own };
  const user = keyIdentifier(theirs, deps.pepper);
  const cookie = keyIdentifier(ours, deps.pepper);
  if (user === null || cookie === null) {
    count('unreadable');
    return reply.code(400).send();
  }
  try {
    const older = olderPeppers(deps.pepper).map((pepper) => ({
      user: keyIdentifier(theirs, pepper) as string,
      cookie: keyIdentifier(ours, pepper) as string,
    }));
    const match: Match = { type: 'sync', exchange: exchange.id, at: deps.now(), user, cookie };
    await deps.keep(older.length === 0 ? match : { ...match, older });
    count('matched');
  } catch {
    // The exchange calls again with another page; a browser has nothing to do with our troubles.
    count('storage');
  }
  return sendPixel(reply.header('set-cookie', setCookie(own)));
}

function sendOut(deps: SyncDeps, request: Call, reply: FastifyReply): FastifyReply {
  reply.header('cache-control', 'no-store');
  const exchange = exchangeOf(deps, request);
  if (exchange === null || exchange.syncUrl === null) return reply.code(404).send();
  const allowed = maySync(deps, request);
  deps.metrics.syncs.inc({ exchange: exchange.id, way: 'out', result: allowed ? 'sent' : 'refused' });
  if (!allowed) return sendPixel(reply);
  const own = readCookie(request.headers.cookie) ?? newCookie();
  return reply.header('set-cookie', setCookie(own)).redirect(fillSyncUrl(exchange.syncUrl, own, request.query), 302);
}

function exchangeOf({ current }: SyncDeps, { params }: Call): LiveExchange | null {
  return current()?.exchanges.get(params.exchange) ?? null;
}

function sendPixel(reply: FastifyReply): FastifyReply {
  return reply.type('image/gif').send(PIXEL);
}

/** Where a browser is is not known here, so that without a word about it GDPR is taken to apply. */
function maySync({ consents }: SyncDeps, { query, headers }: Call): boolean {
  const gdpr = textOf(query, 'gdpr');
  const signals: PrivacySignals = {
    coppa: textOf(query, 'coppa') === '1',
    gdpr: gdpr !== '0',
    country: '',
    consent: textOf(query, 'gdpr_consent'),
    usPrivacy: textOf(query, 'us_privacy'),
    gpp: textOf(query, 'gpp'),
    gppSections: textOf(query, 'gpp_sid')
      .split(/[,_]/)
      .map(Number)
      .filter((section) => Number.isInteger(section) && section > 0),
    gpc: headers['sec-gpc'] === '1',
    limited: headers['dnt'] === '1',
  };
  return permissionFor(signals, consents).sync;
}

function textOf(query: Query, name: string): string {
  const value = query[name];
  return (typeof value === 'object' ? value[0] : value) ?? '';
}

/** Macros of an exchange's sync address: our id, and the consent that came with the call, handed on. */
const HANDED_ON = {
  GDPR: 'gdpr',
  GDPR_CONSENT: 'gdpr_consent',
  US_PRIVACY: 'us_privacy',
  GPP: 'gpp',
  GPP_SID: 'gpp_sid',
} as const;

function fillSyncUrl(url: string, own: string, query: Query): string {
  return url.replace(/\$\{(WALKIN_UID|GDPR|GDPR_CONSENT|US_PRIVACY|GPP|GPP_SID)\}/g, (_, name: string) =>
    encodeURIComponent(name === 'WALKIN_UID' ? own : textOf(query, HANDED_ON[name as keyof typeof HANDED_ON])),
  );
}
