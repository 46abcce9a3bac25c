import { Agent, type IncomingHttpHeaders, request } from 'node:http';

/** Plain node:http with kept-alive sockets: half the cost of `fetch`, which matters where the sender shares the cores. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Call {
  readonly method?: string;
  /** Path and query, or an absolute address on this connection's host. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Milliseconds until the call is given up. */
  readonly timeout?: number;
}

export interface Connection {
  readonly base: string;
  /** Rejects where no whole answer came: refused, reset, timed out. */
  send(call: Call): Promise<Answer>;
  close(): void;
}

const TIMEOUT = 30_000;
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]', '::1']);

/** To one server on this machine. Anything that is not loopback is refused: a simulation calls nobody outside. */
export function connect(base: string, sockets: number): Connection {
  const origin = new URL(base);
  if (!LOOPBACK.has(origin.hostname)) throw new Error(`the city speaks to this machine only, not to ${origin.hostname}`);
  const agent = new Agent({ keepAlive: true, maxSockets: sockets, scheduling: 'fifo' });
  return {
    base,
    send: (call) => exchangeMessages(agent, origin, call),
    close: () => agent.destroy(),
  };
}

function exchangeMessages(agent: Agent, origin: URL, call: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const message = request(
      {
        agent,
        hostname: origin.hostname,
        port: origin.port,
        method: call.method ?? 'GET',
        path: call.path,
        headers: withLength(call),
        timeout: call.timeout ?? TIMEOUT,
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('aborted', () => reject(new Error('the answer was cut off')));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }));
      },
    );
    message.on('timeout', () => message.destroy(new Error('timeout')));
    message.on('error', reject);
    message.end(call.body);
  });
}

function withLength(call: Call): Record<string, string | number> {
  return call.body === undefined ? { ...call.headers } : { ...call.headers, 'content-length': Buffer.byteLength(call.body) };
}

/** Whether the address is one of the server behind the connection, and its path. Null: it is not, and is not called. */
export function pathOn(connection: Connection, address: string): string | null {
  const url = URL.canParse(address, connection.base) ? new URL(address, connection.base) : null;
  return url === null || !LOOPBACK.has(url.hostname) ? null : `${url.pathname}${url.search}`;
}
