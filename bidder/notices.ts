import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AdEvent, BidRecord } from '../proto/ad-event.ts';
import { impressionCost } from '../proto/money.ts';
import { decodeRecord, verify } from '../proto/notice.ts';
import type { LiveExchange } from '../proto/snapshot.ts';
import { type Book, eventOf } from './booking.ts';
import { clearingOf, lossReasonOf, priceTold } from './clearing.ts';
import { clockOf } from './clock.ts';
import type { Index } from './core/index.ts';
import type { Metrics } from './metrics.ts';
import { clickContext, isNoticePath, NOTICE_EVENTS, type NoticeEvent, type NoticePath } from './notice-paths.ts';

export interface NoticeDeps {
  readonly current: () => Index | null;
  readonly book: Book;
  readonly metrics: Metrics;
  readonly noticeSecret: string;
}

type Query = Readonly<Record<string, string | readonly string[] | undefined>>;
interface NoticeRoute {
  Params: { event: string };
  Querystring: Query;
}

const PIXEL = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
/** The event on which the exchange bills a bid. VAST has its impression; a banner or a native ad of the same exchange has none. */
function billedOn(billing: LiveExchange['billing'], { mtype }: BidRecord): NoticeEvent {
  if (billing === 'nurl') return 'win';
  return billing === 'pixel' || (billing === 'vast' && (mtype === VIDEO || mtype === AUDIO)) ? 'impression' : 'billing';
}

/** OpenRTB markup types. */
const VIDEO = 2;
const AUDIO = 3;

/**
 * `/n/win|bill|loss|imp|click`. A notice is answered with success only after it is booked; a repetition changes nothing, so
 * where Redis is away the answer is 503 and the exchange calls again.
 */
export function registerNoticeRoutes(app: FastifyInstance, deps: NoticeDeps): void {
  app.route<NoticeRoute>({
    method: ['GET', 'POST'],
    url: '/n/:event',
    handler: (request, reply) => answerNotice(deps, request, reply),
  });
  // Link checkers ask with HEAD: nothing has happened.
  app.head('/n/:event', (_request, reply) => reply.code(204).send());
}

async function answerNotice(deps: NoticeDeps, request: FastifyRequest<NoticeRoute>, reply: FastifyReply): Promise<FastifyReply> {
  const { event: path } = request.params;
  if (!isNoticePath(path)) return reply.code(404).send();
  const event = NOTICE_EVENTS[path];
  const { metrics } = deps;
  const query = (name: string): string | undefined => parameterOf(request.query, name);
  const landing = query('u') ?? '';
  const record = readRecord(deps, path, query('d'), query('s'), landing);
  if (typeof record === 'string') {
    metrics.notices.inc({ event, result: record });
    return reply.code(400).send();
  }
  const index = deps.current();
  if (index === null) {
    metrics.notices.inc({ event, result: 'no_snapshot' });
    return reply.code(503).send();
  }
  const now = clockOf(index.exchanges.get(record.exchange), request.headers['x-walkin-time']);
  try {
    metrics.notices.inc({ event, result: await bookNotice(deps, index, record, event, query, now) });
  } catch {
    metrics.notices.inc({ event, result: 'storage' });
    return reply.code(503).send();
  }
  return success(reply, path, landing);
}

/** The value of a parameter, the first where it is there twice; also where the address was called with its HTML escapes. */
function parameterOf(query: Query, name: string): string | undefined {
  const value = query[name] ?? query[`amp;${name}`];
  return typeof value === 'object' ? value[0] : value;
}

function readRecord(
  { noticeSecret }: NoticeDeps,
  path: NoticePath,
  payload: string | undefined,
  signature: string | undefined,
  landing: string,
): BidRecord | 'bad_signature' | 'unreadable' {
  if (payload === undefined || signature === undefined) return 'unreadable';
  const context = path === 'click' ? clickContext(landing) : path;
  if (!verify(payload, context, signature, noticeSecret)) return 'bad_signature';
  return decodeRecord(payload) ?? 'unreadable';
}

async function bookNotice(
  { book, metrics }: NoticeDeps,
  index: Index,
  record: BidRecord,
  type: NoticeEvent,
  query: (name: string) => string | undefined,
  now: number,
): Promise<'booked' | 'repeated' | 'audit'> {
  const lineItem = index.lineItems.get(record.lineItem);
  const price = clearingOf(query('p'), query('c'), record.price, lineItem?.currency ?? null);
  if (price.kind === 'audit') return 'audit';
  const charged = billedOn(index.exchanges.get(record.exchange)?.billing ?? 'burl', record) === type && !record.test;
  const event: AdEvent = eventOf(record, type, now, {
    clearing: price.kind === 'known' && type !== 'loss' && type !== 'click' ? price.clearing : null,
    cost: charged ? impressionCost(price.kind === 'known' ? price.clearing : record.price) : 0,
    lossReason: type === 'loss' ? lossReasonOf(query('l')) : null,
    minToWin: priceTold(query('m')),
  });
  const counts = type === 'impression' && !record.test;
  const booked = await book(event, { settles: charged || type === 'loss', caps: counts ? (lineItem?.caps ?? []) : [] });
  if (booked && charged && price.kind === 'unknown') metrics.noticePrices.inc({ fault: price.fault });
  return booked ? 'booked' : 'repeated';
}

function success(reply: FastifyReply, path: NoticePath, landing: string): FastifyReply {
  reply.header('cache-control', 'no-store');
  if (path === 'imp') return reply.type('image/gif').send(PIXEL);
  if (path !== 'click') return reply.code(204).send();
  // A header holds ASCII only: the address as a browser would write it.
  return URL.canParse(landing) ? reply.redirect(new URL(landing).href, 302) : reply.code(204).send();
}
