import { Agent, request } from 'node:http';
import { request as secureRequest } from 'node:https';

export interface Message {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What came back as it was on the wire; status 0 where nothing came. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  readonly milliseconds: number;
  /** Why nothing came. */
  readonly error: string;
}

const PATIENCE_MS = 10_000;

/** One connection, one call at a time, so that a time is that of one answer and no queue. */
export interface Line {
  send(message: Message): Promise<Reply>;
  close(): void;
}

export function openLine(address: string): Line {
  const isSecure = address.startsWith('https:');
  const agent = isSecure ? undefined : new Agent({ keepAlive: true, maxSockets: 1 });
  const open = isSecure ? secureRequest : request;
  return { send, close: () => agent?.destroy() };

  function send({ headers, body }: Message): Promise<Reply> {
    const started = performance.now();
    return new Promise((resolve) => {
      const fail = (error: Error) =>
        resolve({
          status: 0,
          headers: {},
          body: Buffer.alloc(0),
          milliseconds: performance.now() - started,
          error: error.message,
        });
      const options = {
        method: 'POST',
        headers: { ...headers, 'content-length': body.length },
        timeout: PATIENCE_MS,
        ...(agent === undefined ? {} : { agent }),
      };
      const call = open(address, options, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', fail);
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers as Record<string, string | undefined>,
            body: Buffer.concat(chunks),
            milliseconds: performance.now() - started,
            error: '',
          }),
        );
      });
      call.on('timeout', () => call.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)));
      call.on('error', fail);
      call.end(body);
    });
  }
}
