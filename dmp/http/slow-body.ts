import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Counter } from 'prom-client';
import { Problem } from '../problem.ts';
import { endWith } from './bare-answer.ts';

const slow = new Counter({
  name: 'walkin_api_slow_bodies_total',
  help: 'Calls that were cut off since their body did not get on',
});

export interface Pace {
  /** A body that is still on its way is looked at this often. */
  readonly everyMs: number;
  /** So much must have come since the last look. */
  readonly leastBytes: number;
}

/** A kilobyte a second. Files of gigabytes take hours, and may; who sends a byte now and then may not hold a connection. */
const PACE: Pace = { everyMs: 30_000, leastBytes: 30 * 1024 };

/** Cuts off bodies that do not get on, those of calls that are answered already too. Node's own limit is one time for any body, however large. */
export function useSlowBodies(app: FastifyInstance, { everyMs, leastBytes }: Pace = PACE): void {
  const underWay = new Map<IncomingMessage, { readonly reply: FastifyReply; bytes: number }>();
  const look = (): void => {
    for (const [raw, body] of underWay) {
      const bytes = raw.socket.bytesRead;
      if (bytes - body.bytes >= leastBytes || isOurTurn(raw)) body.bytes = bytes;
      else cutOff(raw, body.reply);
    }
  };
  app.addHook('onRequest', async ({ raw }, reply) => {
    const { headers, socket } = raw;
    if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return;
    // A call that is made in process comes over no socket.
    if (socket.bytesRead === undefined) return;
    underWay.set(raw, { reply, bytes: socket.bytesRead });
    for (const over of ['end', 'close']) raw.once(over, () => underWay.delete(raw));
  });
  const timer = setInterval(look, everyMs);
  timer.unref();
  app.addHook('onClose', async () => clearInterval(timer));
}

/** What came is not read yet: the sender waits for us. */
function isOurTurn(raw: IncomingMessage): boolean {
  return raw.readableFlowing === null || raw.readableLength > 0;
}

function cutOff(raw: IncomingMessage, reply: FastifyReply): void {
  slow.inc();
  const { socket } = raw;
  if (reply.raw.headersSent || !socket.writable) return void raw.destroy();
  endWith(socket, new Problem(408, 'timeout', 'The body of the call does not get on'));
  socket.destroySoon();
}
