import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { NO_BID } from '../proto/no-bid.ts';
import type { Answer, AuctionDeps, Call } from './auction.ts';
import { readBody } from './body.ts';
import { sentOf } from './http/answer-headers.ts';
import { createBidDoor } from './http/bid-door.ts';
import { MEDIA_TYPE } from './http/head.ts';
import { KEEP_ALIVE_MS } from './http/reply.ts';
import { type BidServer, createBidServer } from './http/server.ts';
import type { Refusal } from './messages.ts';
import { type NoticeDeps, registerNoticeRoutes } from './notices/notices.ts';
import { MAX_BODY } from './openrtb/inflate.ts';
import { registerSyncRoutes, type SyncDeps } from './sync.ts';

export interface AppDeps {
  readonly auction: AuctionDeps;
  readonly notices: NoticeDeps;
  readonly sync: SyncDeps;
  /** Why this worker is not ready, empty when it is. */
  readonly notReady: () => readonly string[];
  /** What is wrong with the snapshot that was published last; null where it is served. */
  readonly refused: () => Refusal | null;
  readonly log: Logger;
}

/**
 * The bidder's HTTP face, without listening. Plain bid requests are read off their sockets (`http/bid-socket`); all else, and what
 * tests inject, goes through Fastify.
 */
export function buildApp({ auction, notices, sync, notReady, refused, log }: AppDeps): FastifyInstance {
  const door = createBidDoor(auction, log);
  // One for each address that a name has.
  const servers: BidServer[] = [];
  const app = Fastify({
    logger: false,
    serverFactory: (handler) => {
      const timeouts = { requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: KEEP_ALIVE_MS + 5_000 };
      const made = createBidServer(timeouts, handler, door);
      servers.push(made);
      return made.server;
    },
    bodyLimit: MAX_BODY,
    exposeHeadRoutes: false,
    // While closing, what still arrives is answered: exchanges count a 503 as an error.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: (_error, _request, reply: FastifyReply) => void reply.code(400).send(),
  });
  // What the content type means is for the auction to say, since the exchange has a word in it: the body is taken as it is.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.addHook('preClose', async () => {
    for (const { endSockets } of servers) endSockets();
  });
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
    const ready = reasons.length === 0;
    // An old snapshot that serves on is no reason to send nothing here: it is said, and the metrics port's alarm counts.
    return reply.code(ready ? 200 : 503).send({ ready, reasons, snapshotVersion, snapshotRefused: refused() });
  });
  return app;

  /** As early as there is a head: what is not considered is not read, and its body is thrown away as it comes. */
  function takeBid(request: FastifyRequest<BidRoute>, reply: FastifyReply): void {
    const arrival = door.arrivalNow();
    if (door.refuses(request.params.exchange, request.query.token, arrival)) {
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
      else door.answer(callOf(request, body, arrival), (answer) => send(reply, answer, request.headers['accept-encoding']));
    });
  }

  /** What is left of it may still come: the connection cannot be used for another request. */
  function refuseBody(reply: FastifyReply): void {
    reply.code(400).header('connection', 'close').send();
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

interface BidRoute {
  Params: { exchange: string };
  Querystring: { token?: unknown };
}

function send(reply: FastifyReply, answer: Answer, accept: string | readonly string[] | undefined): void {
  const { headers, body } = sentOf(answer, accept === undefined ? undefined : String(accept));
  reply.code(answer.status);
  for (const [name, value] of headers) reply.header(name, value);
  // Of a text Fastify would write a content type of its own.
  reply.send(typeof body === 'string' ? Buffer.from(body) : (body ?? undefined));
}
