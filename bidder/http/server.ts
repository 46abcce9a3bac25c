import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { BidDoor } from './bid-door.ts';
import { type BidSocket, IDLE_LOOKS, openBidSocket } from './bid-socket.ts';
import { KEEP_ALIVE_MS } from './reply.ts';

const NONE: Buffer = Buffer.alloc(0);

export interface BidServer {
  readonly server: Server;
  /** Ends the connections that bring bid requests, each when it has its answer. */
  endSockets(): void;
}

/** Node's server, whose connections bring plain bid requests straight to the door and all else to `handler`. */
export function createBidServer(options: ServerOptions, handler: RequestListener, door: BidDoor): BidServer {
  const server = createServer(options, handler);
  const accept = server.listeners('connection') as ((this: Server, socket: Socket) => void)[];
  const open = new Set<BidSocket>();
  let isEnding = false;
  // One timer for all: one for each connection is moved twice by each request (1 % of what that takes).
  const looker = setInterval(() => {
    for (const socket of open) socket.closeIfIdle();
  }, KEEP_ALIVE_MS / IDLE_LOOKS).unref();
  server.once('close', () => clearInterval(looker));
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    // One that comes while we close is answered and closed by Node's server.
    if (isEnding) handOver(socket, NONE);
    else open.add(openBidSocket(socket, { door, handOver, onGone: (gone) => void open.delete(gone) }));
  });
  return { server, endSockets };

  function handOver(socket: Socket, bytes: Buffer): void {
    socket.pause();
    if (bytes.length > 0) socket.unshift(bytes);
    for (const listener of accept) listener.call(server, socket);
    socket.resume();
  }

  function endSockets(): void {
    isEnding = true;
    for (const socket of open) socket.end();
  }
}
