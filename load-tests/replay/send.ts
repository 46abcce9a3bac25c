import { Agent, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { Call } from './requests.ts';

export interface Answer {
  readonly file: string;
  /** 0 where there was no answer at all. */
  readonly status: number;
  readonly milliseconds: number;
  readonly bids: number;
}

const PATIENCE_MS = 10_000;

/** Sends the calls one after the other over one connection, so that a time is that of one answer and no queue. */
export async function sendAll(address: string, calls: readonly Call[]): Promise<Answer[]> {
  const agent = address.startsWith('https:') ? undefined : new Agent({ keepAlive: true, maxSockets: 1 });
  const answers: Answer[] = [];
  for (const call of calls) {
    const started = performance.now();
    const { status, body } = await send(address, call.body, agent);
    answers.push({ file: call.file, status, milliseconds: performance.now() - started, bids: bidsIn(status, body) });
  }
  agent?.destroy();
  return answers;
}

function send(address: string, body: Buffer, agent: Agent | undefined): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const open = agent === undefined ? secureRequest : request;
    const headers = { 'content-type': 'application/json', 'content-length': body.length, 'x-openrtb-version': '2.6' };
    const call = open(
      address,
      { method: 'POST', headers, timeout: PATIENCE_MS, ...(agent === undefined ? {} : { agent }) },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
        answer.on('error', () => resolve({ status: 0, body: '' }));
      },
    );
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve({ status: 0, body: '' }));
    call.end(body);
  });
}

function bidsIn(status: number, body: string): number {
  if (status !== 200) return 0;
  try {
    const { seatbid } = JSON.parse(body) as { seatbid?: { bid?: unknown[] }[] };
    return (seatbid ?? []).reduce((total, seat) => total + (seat.bid?.length ?? 0), 0);
  } catch {
    return 0;
  }
}
