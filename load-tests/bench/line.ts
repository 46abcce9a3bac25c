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
/** All lines read into it: what comes is looked at before anything else is read. */
const READ = Buffer.allocUnsafeSlow(64 * 1_024);

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
    // Without the streams that would otherwise bring each answer.
    const onread = { buffer: READ, callback: (length: number) => onData(READ.subarray(0, length)) };
    const fresh = connect({ port, host: '127.0.0.1', noDelay: true, onread });
    fresh.on('error', () => undefined);
    fresh.once('close', onClose);
    return fresh;
  }

  function send(message: Buffer, done: (reply: Reply | null) => void): void {
    waiting = done;
    socket ??= dial();
    socket.write(message);
  }

  function onData(chunk: Buffer): boolean {
    const bytes = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const headEnd = bytes.indexOf(HEAD_END);
    const end = headEnd < 0 ? Number.POSITIVE_INFINITY : headEnd + HEAD_END.length + lengthIn(bytes, headEnd);
    if (bytes.length < end) {
      received = bytes === chunk ? Buffer.from(chunk) : bytes;
      return true;
    }
    const body = keepBodies ? Buffer.from(bytes.subarray(headEnd + HEAD_END.length, end)) : null;
    received = NONE;
    settle({ status: statusIn(bytes), body });
    return true;
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

/** Three digits after `HTTP/1.1 `. */
function statusIn(bytes: Buffer): number {
  return ((bytes[9] as number) - ZERO) * 100 + ((bytes[10] as number) - ZERO) * 10 + ((bytes[11] as number) - ZERO);
}

const ZERO = 0x30;
/** However its first letters are written. */
const LENGTH = Buffer.from('ontent-');

/** `content-length`; an answer without one has no body (204), or comes from no server of ours. */
function lengthIn(bytes: Buffer, headEnd: number): number {
  for (let at = bytes.indexOf(LENGTH); at >= 0 && at < headEnd; at = bytes.indexOf(LENGTH, at + 1)) {
    const name = bytes.toString('latin1', at - 1, at + 13).toLowerCase();
    if (name === 'content-length') return numberAt(bytes, at + 14);
  }
  return 0;
}

function numberAt(bytes: Buffer, start: number): number {
  let number = 0;
  for (let at = start; ; at++) {
    const digit = (bytes[at] as number) - ZERO;
    if (digit >= 0 && digit <= 9) number = number * 10 + digit;
    else if (bytes[at] !== SPACE) return number;
  }
}

const SPACE = 0x20;
