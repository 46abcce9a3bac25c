import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { AdEvent, BidRecord } from '../../proto/ad-event.ts';
import { lossReasonName } from '../../proto/loss-reason.ts';
import { dataCost, impressionCost } from '../../proto/money.ts';
import { decodeRecord, verify } from '../../proto/notice.ts';
import type { LiveExchange } from '../../proto/snapshot.ts';
import { type Book, type BookingOptions, eventOf } from '../booking.ts';
import { clockOf } from '../clock.ts';
import type { Index } from '../core/index.ts';
import type { Metrics } from '../metrics.ts';
import type { Outbox } from '../outbox.ts';
import { PIXEL } from '../pixel.ts';
import { type Clearing, clearingOf, lossReasonOf, multiplierOf, priceTold, shownAt } from './clearing.ts';
import { landingOf } from './landing.ts';
import {
  clickContext,
  EVENT_DETAILS,
  eventContext,
  isEventDetail,
  isNoticePath,
  NOTICE_EVENTS,
  type NoticeEvent,
  type NoticePath,
} from './paths.ts';
import { createRebooking, type Rebooking } from './rebooking.ts';
import { createReplayGuard } from './replay-guard.ts';

export interface NoticeDeps {
  readonly current: () => Index | null;
  readonly book: Book;
  /** Keeps what a browser told while Redis is away. */
  readonly outbox: Pick<Outbox, 'push'>;
  readonly metrics: Metrics;
  readonly noticeSecret: string;
}

type Query = (name: string) => string | undefined;
interface NoticeRoute {
  Params: { event: string };
  Querystring: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** OpenRTB markup types. */
const VIDEO = 2;
const AUDIO = 3;
/** A person does not wait longer for our books before the page that they asked for. */
const PATIENCE_MS = 250;
/** What a process that ends may take to book what it kept. */
const CLOSING_MS = 1_000;

/**
 * `/n/win|bill|loss|imp|click|event`. A notice is answered with success only after it is booked; a repetition changes nothing,
 * so where Redis is away the answer is 503 and the exchange calls again. What a browser tells beside money (clicks, viewability,
 * VAST events) nobody tells again: it is kept in the outbox instead, and the click goes on its way. It waits there bounded and
 * counted, and an event that was booked after all is the same event. An impression may be money and moves caps: its picture is sent,
 * and its booking is kept and asked for again until it is done. A notice that is not signed changes nothing: 403.
 */
export function registerNoticeRoutes(app: FastifyInstance, deps: NoticeDeps, log?: Pick<Logger, 'error'>): void {
  const rebooking = createRebooking(deps.book);
  const noticing: Noticing = { ...deps, rebooking, isReplayed: createReplayGuard() };
  app.route<NoticeRoute>({
    method: ['GET', 'POST'],
    url: '/n/:event',
    handler: (request, reply) => answerNotice(noticing, request, reply),
  });
  // Link checkers ask with HEAD: nothing has happened.
  app.head('/n/:event', (_request, reply) => reply.code(204).send());
  app.addHook('onClose', async () => reportLost(deps, await rebooking.close(CLOSING_MS), log));
}

/** What could not be booked by the end: the warehouse may still hear of it, the budget does not, and the operator must know. */
function reportLost({ outbox, metrics }: NoticeDeps, events: readonly AdEvent[], log?: Pick<Logger, 'error'>): void {
  if (events.length === 0) return;
  for (const event of events) {
    metrics.notices.inc({ event: event.type as NoticeEvent, result: 'lost' });
    outbox.push(event);
  }
  const costMicros = events.reduce((sum, { cost }) => sum + cost, 0);
  log?.error({ impressions: events.length, costMicros }, 'impressions were not booked: Redis was away until the end');
}

interface Noticing extends NoticeDeps {
  readonly rebooking: Rebooking;
  readonly isReplayed: ReturnType<typeof createReplayGuard>;
}

async function answerNotice(deps: Noticing, request: FastifyRequest<NoticeRoute>, reply: FastifyReply): Promise<FastifyReply> {
  const query: Query = (name) => parameterOf(request.query, name);
  const { event: path } = request.params;
  const type = isNoticePath(path) ? typeOf(path, query('e')) : null;
  if (type === null) return reply.code(404).send();
  const answer = (status: number, result: string): FastifyReply => {
    deps.metrics.notices.inc({ event: type, result });
    return reply.code(status).send();
  };
  const record = readRecord(path as NoticePath, query, deps.noticeSecret);
  if (record === 'bad_signature') return answer(403, record);
  if (record === 'unreadable') return answer(400, record);
  const index = deps.current();
  if (index === null) return answer(503, 'no_snapshot');
  const landing = type === 'click' ? landingOf(query('u') ?? '', domainsOf(index, record)) : null;
  if (type === 'click' && landing === null) return answer(403, 'foreign_landing');
  const now = clockOf(index.exchanges.get(record.exchange), request.headers['x-walkin-time']);
  try {
    deps.metrics.notices.inc({ event: type, result: await take({ deps, index, record, type, query, now }) });
  } catch {
    return answer(503, 'storage');
  }
  return success(reply, type, landing);
}

/** The value of a parameter, the first where it is there twice; also where the address was called with its HTML escapes. */
function parameterOf(query: NoticeRoute['Querystring'], name: string): string | undefined {
  const value = query[name] ?? query[`amp;${name}`];
  return typeof value === 'object' ? value[0] : value;
}

function typeOf(path: NoticePath, detail: string | undefined): NoticeEvent | null {
  if (path !== 'event') return NOTICE_EVENTS[path];
  return detail !== undefined && isEventDetail(detail) ? EVENT_DETAILS[detail] : null;
}

function readRecord(path: NoticePath, query: Query, secret: string): BidRecord | 'bad_signature' | 'unreadable' {
  const [payload, signature] = [query('d'), query('s')];
  if (payload === undefined || signature === undefined) return 'bad_signature';
  if (!verify(payload, contextOf(path, query), signature, secret)) return 'bad_signature';
  return decodeRecord(payload) ?? 'unreadable';
}

function contextOf(path: NoticePath, query: Query): string {
  if (path === 'click') return clickContext(query('u') ?? '');
  return path === 'event' ? eventContext(query('e') ?? '') : path;
}

/** Of the line item, or, where it is over, of any that its advertiser has live; null where there is none. */
function domainsOf(index: Index, record: BidRecord): readonly string[] | null {
  return index.lineItem(record.lineItem)?.domains ?? index.domainsOf(record.advertiser);
}

interface Notice {
  readonly deps: Noticing;
  readonly index: Index;
  readonly record: BidRecord;
  readonly type: NoticeEvent;
  readonly query: Query;
  readonly now: number;
}

async function take(notice: Notice): Promise<'booked' | 'repeated' | 'queued' | 'audit'> {
  const { deps, index, record, type, query, now } = notice;
  const exchange = index.exchanges.get(record.exchange);
  const context = { bid: record, exchange: exchange ?? PLAIN, now, isReplayed: deps.isReplayed };
  const price = clearingOf(query('p'), query('c'), context);
  if (price.kind === 'audit') return 'audit';
  const charged = billedOn(record.billedBy ?? exchange?.billing ?? 'burl', record) === type && !record.test;
  const event = eventFor(notice, price, charged);
  const counts = type === 'impression' && !record.test;
  const caps = counts ? (index.lineItem(record.lineItem)?.caps ?? []) : [];
  const data = index.lineItem(record.lineItem)?.data ?? null;
  const options = { data, settles: charged || (type === 'loss' && event.lossReason !== 0), caps };
  const booking = deps.book(event, options);
  const result = isTold(type) ? await bookOrKeep(booking, () => keep(deps, event, options)) : resultOf(await booking);
  if (result === 'booked') count(deps.metrics, event, charged ? price : null);
  return result;
}

const PLAIN: Pick<LiveExchange, 'price' | 'currency'> = { price: { kind: 'plain' }, currency: null };

/** The event on which the exchange bills a bid. VAST has its impression; a banner or a native ad of the same exchange has none. */
function billedOn(billing: LiveExchange['billing'], { mtype }: BidRecord): NoticeEvent {
  if (billing === 'nurl') return 'win';
  return billing === 'pixel' || (billing === 'vast' && (mtype === VIDEO || mtype === AUDIO)) ? 'impression' : 'billing';
}

function eventFor({ index, record, type, query, now }: Notice, price: Clearing, charged: boolean): AdEvent {
  const multiplier = multiplierOf(query('x'), record.multiplier);
  const known = price.kind === 'known' ? price.clearing : null;
  const detail = query('e');
  const cost = charged ? impressionCost(known ?? record.price, multiplier) : 0;
  const data = charged ? dataCost(index.lineItem(record.lineItem)?.data, cost) : 0;
  return eventOf(record, type, shownAt(query('t'), record.bidAt, now), {
    clearing: type === 'win' || type === 'billing' || type === 'impression' ? known : null,
    cost,
    ...(data === 0 ? {} : { data }),
    lossReason: type === 'loss' ? lossReasonOf(query('l')) : null,
    minToWin: priceTold(query('m'), record),
    ...(multiplier === record.multiplier ? {} : { exposures: multiplier }),
    ...((type === 'view' || type === 'media') && detail !== undefined ? { detail } : {}),
  });
}

/** What only the person's browser tells, and only once. */
function isTold(type: NoticeEvent): boolean {
  return type === 'click' || type === 'view' || type === 'media' || type === 'impression';
}

/** Throws where there is no room for an impression: then it is said to be lost, by the status and in the metric. */
function keep({ rebooking, outbox }: Noticing, event: AdEvent, options: BookingOptions): void {
  if (event.type !== 'impression') outbox.push(event);
  else if (!rebooking.keep(event, options)) throw new Error('no room for an impression that could not be booked');
}

function resultOf(booked: boolean): 'booked' | 'repeated' {
  return booked ? 'booked' : 'repeated';
}

async function bookOrKeep(booking: Promise<boolean>, keepIt: () => void): Promise<'booked' | 'repeated' | 'queued'> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<'queued'>((resolve) => {
    timer = setTimeout(() => resolve('queued'), PATIENCE_MS);
  });
  const result = await Promise.race([booking.then(resultOf, () => 'queued' as const), patience]);
  clearTimeout(timer);
  if (result === 'queued') keepIt();
  return result;
}

function count(metrics: Metrics, event: AdEvent, charged: Clearing | null): void {
  const { type, exchange, at, bidAt, minToWin, lossReason } = event;
  if (charged?.kind === 'unknown') metrics.noticePrices.inc({ fault: charged.fault });
  if (type === 'loss') metrics.losses.inc({ exchange, reason: lossReasonName(lossReason) });
  if (minToWin !== null) metrics.minToWin.inc({ exchange, event: type });
  metrics.noticeLag.observe({ event: type }, Math.max(0, at - bidAt) / 1_000);
}

function success(reply: FastifyReply, type: NoticeEvent, landing: string | null): FastifyReply {
  reply.header('cache-control', 'no-store');
  if (landing !== null) return reply.redirect(landing, 302);
  // Browsers load these as images.
  return type === 'impression' || type === 'view' || type === 'media'
    ? reply.type('image/gif').send(PIXEL)
    : reply.code(204).send();
}
