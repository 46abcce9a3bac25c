import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { NO_BID } from '../proto/no-bid.ts';
import { type Answer, type AuctionDeps, answerCall, type Call, countRefusal } from './auction.ts';
import { readBody } from './body.ts';
import { isTokenOf } from './exchange-token.ts';
import { type NoticeDeps, registerNoticeRoutes } from './notices.ts';
import { CONTENT_TYPES } from './openrtb/content.ts';
import { deflate } from './openrtb/deflate.ts';
import { ACCEPTED_ENCODINGS, MAX_BODY } from './openrtb/inflate.ts';
import { registerSyncRoutes, type SyncDeps } from './sync.ts';

export interface AppDeps {
  readonly auction: AuctionDeps;
  readonly notices: NoticeDeps;
  readonly sync: SyncDeps;
  /** Why this worker is not ready, empty when it is. */
  readonly notReady: () => readonly string[];
  readonly log: Logger;
}

/** Exchanges keep idle sockets for up to 2.5 minutes and must never meet one that we have just closed. */
const KEEP_ALIVE_MS = 160_000;

/** The bidder's HTTP face, without listening. */
export function buildApp({ auction, notices, sync, notReady, log }: AppDeps): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: MAX_BODY,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: 0,
    maxRequestsPerSocket: 0,
    exposeHeadRoutes: false,
    // While closing, what still arrives is answered: exchanges count a 503 as an error.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 200 },
    http: { headersTimeout: KEEP_ALIVE_MS + 5_000 },
    frameworkErrors: (_error, _request, reply: FastifyReply) => void reply.code(400).send(),
  });
  // What the content type means is for the auction to say, since the exchange has a word in it: the body is taken as it is.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setNotFoundHandler((_request, reply) => reply.code(404).send());
  app.setErrorHandler(answerError);
  app.route<BidRoute>({
    method: 'POST',
    url: '/openrtb2/:exchange',
    onRequest: takeBid,
    // Never comes to it: the hook answers.
    handler: (_request, reply) => reply.code(204).send(),
  });
  app.route({
    method: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    url: '/openrtb2/:exchange',
    handler: (_request, reply) => reply.code(405).header('allow', 'POST').send(),
  });
  registerNoticeRoutes(app, notices, log);
  registerSyncRoutes(app, sync);
  app.get('/livez', (_request, reply) => reply.send({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const reasons = notReady();
    const snapshotVersion = auction.current()?.version ?? null;
    return reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons, snapshotVersion });
  });
  return app;

  /** As early as there is a head: what is not considered is not read, and its body is thrown away as it comes. */
  function takeBid(request: FastifyRequest<BidRoute>, reply: FastifyReply): void {
    const { admission, metrics } = auction;
    const arrival = admission?.arrivalNow() ?? performance.now();
    metrics.queueSeconds.observe((performance.now() - arrival) / 1_000);
    const exchange = auction.current()?.exchanges.get(request.params.exchange);
    // Who does not know the token must not use up the exchange's limit.
    const isTheirs = exchange !== undefined && (exchange.tokenHash === null || isTokenOf(exchange, request.query.token));
    const refusal = isTheirs ? (admission?.refusalOf(exchange, arrival) ?? null) : null;
    if (isTheirs && refusal !== null) {
      countRefusal(auction, exchange, refusal, arrival);
      reply.code(204).header('x-openrtb-version', '2.6').send();
      return;
    }
    const type = request.headers['content-type'] ?? '';
    if (type !== 'application/json' && type !== '' && !MEDIA_TYPE.test(type)) {
      refuseBody(reply);
      return;
    }
    readBody(request.raw, MAX_BODY, (body) => {
      if (typeof body === 'string') refuseBody(reply);
      else answerBid(request, reply, body, arrival);
    });
  }

  /** What is left of it may still come: the connection cannot be used for another request. */
  function refuseBody(reply: FastifyReply): void {
    reply.code(400).header('connection', 'close').send();
  }

  function answerBid(request: FastifyRequest<BidRoute>, reply: FastifyReply, body: Buffer, arrival: number): void {
    const { admission } = auction;
    const accept = request.headers['accept-encoding'];
    admission?.begin();
    try {
      const answer = answerCall(auction, callOf(request, body, arrival));
      if (answer instanceof Promise) answer.then(send).catch(fail);
      else send(answer);
    } catch (error) {
      fail(error);
    }

    function send(given: Answer): void {
      sendAnswer(reply, given, accept);
      admission?.end();
    }

    function fail(error: unknown): void {
      admission?.end();
      answerError(error as FastifyError, request, reply);
    }
  }

  /** What the sender got wrong is said by the code alone; what we got wrong is a no-bid, and counted. */
  function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { statusCode = 500 } = error;
    if (statusCode < 500) return reply.code(400).send();
    const place = request.url.startsWith('/openrtb2/') ? 'bid' : 'other';
    auction.metrics.errors.inc({ place });
    if (place === 'bid') auction.metrics.noBids.add('technical_error');
    log.error({ place, reason: 'technical_error', nbr: NO_BID.technical_error, error: error.stack }, 'a bug');
    return reply.code(place === 'bid' ? 204 : 500).send();
  }
}

function callOf({ params, query, headers }: FastifyRequest<BidRoute>, body: Buffer, arrival: number): Call {
  return {
    exchange: params.exchange,
    token: query.token,
    body,
    contentType: headers['content-type'],
    encoding: headers['content-encoding'],
    headers,
    statedTime: headers['x-walkin-time'],
    arrival,
  };
}

/** RFC 9110, 8.3.1. */
const MEDIA_TYPE = /^\s*[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(;|$)/;

interface BidRoute {
  Params: { exchange: string };
  Querystring: { token?: unknown };
}

function sendAnswer(reply: FastifyReply, answer: Answer, accept: string | readonly string[] | undefined): FastifyReply {
  const { status, format, gzip } = answer;
  reply.code(status).header('x-openrtb-version', '2.6');
  if (status === 400) reply.header('accept-encoding', ACCEPTED_ENCODINGS);
  if (answer.body === null) return reply.send();
  reply.header('content-type', CONTENT_TYPES[format]);
  if (gzip === 'never' || (gzip === 'auto' && accept === undefined)) return reply.send(answer.body);
  const { body, encoding } = deflate(answer.body, gzip, String(accept ?? ''));
  if (encoding !== null) reply.header('content-encoding', encoding);
  return reply.send(body);
}
