import { connect, type Socket } from 'node:net';

/** What came back for a message. */
export interface Reply {
  readonly status: number;
  /** Only where lines keep bodies. */
  readonly body: Buffer | null;
}

/** One kept-alive HTTP/1.1 connection with one message at a time: a tenth of the cost of node:http, which shares our core. */
export interface Line {
  readonly busy: boolean;
  /** Calls back once: with the reply, or null where the connection broke or the call was given up. */
  send(message: Buffer, done: (reply: Reply | null) => void): void;
  /** Breaks the connection as an exchange does whose patience has ended; the call is answered with null. */
  giveUp(): void;
  close(): void;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const NONE: Buffer = Buffer.alloc(0);

export function openLine(port: number, { keepBodies = false } = {}): Line {
  let socket: Socket | null = dial();
  let waiting: ((reply: Reply | null) => void) | null = null;
  let received: Buffer = NONE;
  return {
    get busy() {
      return waiting !== null;
    },
    send,
    giveUp: () => void socket?.destroy(),
    close,
  };

  function dial(): Socket {
    const fresh = connect({ port, host: '127.0.0.1', noDelay: true });
    fresh.on('data', onData);
    fresh.on('error', () => undefined);
    fresh.once('close', onClose);
    return fresh;
  }

  function send(message: Buffer, done: (reply: Reply | null) => void): void {
    waiting = done;
    socket ??= dial();
    socket.write(message);
  }

  function onData(chunk: Buffer): void {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const headEnd = received.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const end = headEnd + 4 + lengthIn(received, headEnd);
    if (received.length < end) return;
    const status = Number(received.toString('latin1', 9, 12));
    const body = keepBodies ? Buffer.from(received.subarray(headEnd + 4, end)) : null;
    received = NONE;
    settle({ status, body });
  }

  function settle(reply: Reply | null): void {
    const done = waiting;
    waiting = null;
    done?.(reply);
  }

  function onClose(): void {
    received = NONE;
    socket = null;
    settle(null);
  }

  function close(): void {
    waiting = null;
    socket?.destroy();
  }
}

/** `content-length`; an answer without one has no body (204), or comes from no server of ours. */
function lengthIn(bytes: Buffer, headEnd: number): number {
  const match = /\r\ncontent-length: *(\d+)/i.exec(bytes.toString('latin1', 0, headEnd));
  return match === null ? 0 : Number(match[1]);
}
