import { randomBytes } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Problem } from '../problem.ts';
import { PROBLEM_TYPE, problemBody } from './errors.ts';

/** Answers where there is no request to answer to, or none that will come to its end, and closes the connection. */
export function endWith(socket: Socket, problem: Problem): void {
  const body = JSON.stringify(problemBody(problem, '', `req_${randomBytes(9).toString('hex')}`));
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
