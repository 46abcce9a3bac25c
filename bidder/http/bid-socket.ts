import type { Socket } from 'node:net';
import type { Answer } from '../auction.ts';
import { MAX_BODY } from '../openrtb/inflate.ts';
import { sentOf } from './answer-headers.ts';
import type { BidDoor } from './bid-door.ts';
import { createHeadReader, type Head } from './head.ts';
import { readConnection } from './reads.ts';
import { replyOf } from './reply.ts';

/** A connection while it brings plain bid requests. */
export interface BidSocket {
  /** Ends it as soon as nothing is under way; what still comes before is answered. */
  end(): void;
  /** Called now and then: closes it where nothing has come or gone for longer than connections are kept. */
  closeIfIdle(): void;
}

/** Looks in a row that find a connection idle before it is closed. */
export const IDLE_LOOKS = 10;

export interface BidSocketDeps {
  readonly door: BidDoor;
  /** Takes the connection for good, with the bytes that it brings first: something else than a plain bid request. */
  readonly handOver: (socket: Socket, bytes: Buffer) => void;
  /** It is over, or handed over. */
  readonly onGone: (socket: BidSocket) => void;
}

const START = Buffer.from('POST /openrtb2/');
const HEAD_END = Buffer.from('\r\n\r\n');
const NONE: Buffer = Buffer.alloc(0);
const LONGEST_HEAD = 8_192;
/** Pieces in which a head may come. */
const MOST_PIECES = 4;
/** Of requests that do not wait for their answers, so much is read ahead. */
const MOST_AHEAD = 2 * MAX_BODY;

/**
 * Bid requests straight off a socket. Node's server makes a dozen objects, streams and events of each message and Fastify some more:
 * together 25 µs a request, a sixth of all that it took. Here a request is a head that was seen before and a slice of bytes, and an
 * answer is one write. Whatever is not plain goes to Node's server with its connection.
 */
export function openBidSocket(accepted: Socket, { door, handOver, onGone }: BidSocketDeps): BidSocket {
  const reads = readConnection(accepted, onData);
  const { socket } = reads;
  const readHead = createHeadReader();
  /** Came and is not worked off. */
  let held = NONE;
  let pieces = 0;
  /** The request whose body is not all there yet. */
  let head: Head | null = null;
  let arrival = 0;
  /** Bytes of refused requests that are still to come. */
  let toSkip = 0;
  let isBusy = false;
  let isEnding = false;
  let isGone = false;
  let idleLooks = 0;
  const own: BidSocket = { end, closeIfIdle };
  socket.on('end', onEnd);
  socket.on('error', destroy);
  socket.on('close', gone);
  return own;

  function onData(chunk: Buffer): void {
    idleLooks = 0;
    pieces++;
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    if (!isBusy) work();
    else if (held.length > MOST_AHEAD) socket.pause();
    // What is left has to be there when the next comes.
    if (held.buffer === chunk.buffer) held = Buffer.from(held);
  }

  /** One request after the other, since answers go out in the order of their requests. */
  function work(): void {
    while (!isBusy && !isGone && held.length > 0) if (!step()) return;
    if (isEnding && !isBusy && !isGone) socket.end();
  }

  /** Whether there may be more to do with what is held. */
  function step(): boolean {
    if (toSkip > 0) return skip();
    if (head === null && !beginRequest()) return false;
    if (head === null) return true;
    if (held.length < head.length) return false;
    const request = head;
    const body = take(request.length);
    head = null;
    answer(request, body);
    return true;
  }

  function skip(): boolean {
    toSkip -= take(Math.min(toSkip, held.length)).length;
    return true;
  }

  function take(length: number): Buffer {
    const taken = held.length === length ? held : held.subarray(0, length);
    held = held.length === length ? NONE : held.subarray(length);
    pieces = held.length === 0 ? 0 : 1;
    return taken;
  }

  /** Reads a head, and refuses by it. False: it is not all there, or not for us. */
  function beginRequest(): boolean {
    const end = isStart(held) ? held.indexOf(HEAD_END) : -1;
    if (end < 0) {
      if (!isStart(held) || held.length > LONGEST_HEAD || pieces >= MOST_PIECES) leave();
      return false;
    }
    const read = end > LONGEST_HEAD ? null : readHead(held.toString('latin1', 0, end));
    if (read === null) {
      leave();
      return false;
    }
    take(end + HEAD_END.length);
    arrival = door.arrivalNow();
    if (door.refuses(read.exchange, read.token, arrival)) {
      toSkip = read.length;
      write(204, VERSION, null);
    } else head = read;
    return true;
  }

  function answer({ exchange, token, headers }: Head, body: Buffer): void {
    isBusy = true;
    const accept = headers['accept-encoding'] as string | undefined;
    door.answer(
      {
        exchange,
        token,
        body,
        contentType: headers['content-type'] as string | undefined,
        encoding: headers['content-encoding'] as string | undefined,
        headers,
        statedTime: headers['x-walkin-time'],
        arrival,
      },
      (given) => {
        isBusy = false;
        if (isGone) return;
        send(given, accept);
        if (held.length === 0 && !isEnding) return;
        // Not from within its own call: many requests at once would go as deep.
        setImmediate(goOn);
      },
    );
  }

  function goOn(): void {
    if (isGone || isBusy) return;
    if (socket.isPaused()) socket.resume();
    work();
  }

  function send(given: Answer, accept: string | undefined): void {
    const { headers, body } = sentOf(given, accept);
    let lines = '';
    for (const [name, value] of headers) lines += `${name}: ${value}\r\n`;
    write(given.status, lines, body);
  }

  function write(status: number, lines: string, body: Answer['body']): void {
    const reply = replyOf(status, lines, body, isEnding);
    if (typeof reply === 'string') socket.write(reply, 'latin1');
    else socket.write(reply);
  }

  function leave(): void {
    const bytes = Buffer.from(held);
    held = NONE;
    reads.stop();
    socket.off('end', onEnd);
    socket.off('error', destroy);
    socket.off('close', gone);
    gone();
    handOver(socket, bytes);
  }

  function end(): void {
    isEnding = true;
    if (!isBusy && head === null && toSkip === 0) socket.end();
  }

  /** What is not all there now never will be. */
  function onEnd(): void {
    isEnding = true;
    if (!isBusy) socket.end();
  }

  function closeIfIdle(): void {
    if (!isBusy && ++idleLooks > IDLE_LOOKS) destroy();
  }

  function destroy(): void {
    socket.destroy();
  }

  function gone(): void {
    if (isGone) return;
    isGone = true;
    onGone(own);
  }
}

const VERSION = 'x-openrtb-version: 2.6\r\n';

/** As far as it has come. */
function isStart(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, START.length);
  return bytes.compare(START, 0, length, 0, length) === 0;
}
