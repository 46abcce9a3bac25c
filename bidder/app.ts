import { gzipSync } from 'node:zlib';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { type Answer, type AuctionDeps, answerCall } from './auction.ts';
import { type NoticeDeps, registerNoticeRoutes } from './notices.ts';
import { MAX_BODY } from './openrtb/inflate.ts';

export interface AppDeps {
  readonly auction: AuctionDeps;
  readonly notices: NoticeDeps;
  /** Why this worker is not ready, empty when it is. */
  readonly notReady: () => readonly string[];
  readonly log: Logger;
}

/** Exchanges keep idle sockets for up to 2.5 minutes and must never meet one that we have just closed. */
const KEEP_ALIVE_MS = 160_000;
/** Below this gzip gains nothing. */
const WORTH_GZIP = 1_024;

/** The bidder's HTTP face, without listening. */
export function buildApp({ auction, notices, notReady, log }: AppDeps): FastifyInstance {
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
  // Exchanges send JSON under any content type or none; the body is always taken as it is.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setNotFoundHandler((_request, reply) => reply.code(404).send());
  app.setErrorHandler(answerError);
  app.route<{ Params: { exchange: string } }>({
    method: 'POST',
    url: '/openrtb2/:exchange',
    handler: (request, reply) => answerBid(request, reply),
  });
  app.route({
    method: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    url: '/openrtb2/:exchange',
    handler: (_request, reply) => reply.code(405).header('allow', 'POST').send(),
  });
  registerNoticeRoutes(app, notices);
  app.get('/livez', (_request, reply) => reply.send({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const reasons = notReady();
    const snapshotVersion = auction.current()?.version ?? null;
    return reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons, snapshotVersion });
  });
  return app;

  async function answerBid(
    request: FastifyRequest<{ Params: { exchange: string } }>,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const { headers } = request;
    const answer = await answerCall(auction, {
      exchange: request.params.exchange,
      body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
      encoding: headers['content-encoding'],
      statedTime: headers['x-walkin-time'],
      arrival: performance.now(),
    });
    return sendAnswer(reply, answer, headers['accept-encoding']);
  }

  /** What the sender got wrong is said by the code alone; what we got wrong is a no-bid, and counted. */
  function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { statusCode = 500 } = error;
    if (statusCode < 500) return reply.code(statusCode === 413 ? 413 : 400).send();
    const place = request.url.startsWith('/openrtb2/') ? 'bid' : 'other';
    auction.metrics.errors.inc({ place });
    log.error({ place, error: error.stack }, 'a bug');
    return reply.code(place === 'bid' ? 204 : 500).send();
  }
}

function sendAnswer(reply: FastifyReply, answer: Answer, acceptEncoding: string | readonly string[] | undefined): FastifyReply {
  reply.code(answer.status).header('x-openrtb-version', '2.6');
  if (answer.status !== 200) return reply.send();
  reply.header('content-type', 'application/json');
  if (answer.body.length <= WORTH_GZIP || !String(acceptEncoding ?? '').includes('gzip'))
    return reply.send(Buffer.from(answer.body));
  // Level 1: half the time of the default for 3 % more bytes on answers of this size.
  return reply.header('content-encoding', 'gzip').send(gzipSync(answer.body, { level: 1 }));
}
