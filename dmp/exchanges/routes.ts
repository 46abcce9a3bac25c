import type { FastifyInstance } from 'fastify';
import type { DmpDeps } from '../deps.ts';
import type { Noun } from '../http/noun.ts';
import { registerResource } from '../http/resource.ts';
import type { Fault } from '../problem.ts';
import { Exchange } from './exchange.ts';

const EXCHANGES: Noun<'exchange', Exchange> = {
  kind: 'exchange',
  path: 'exchanges',
  title: 'exchange',
  prefix: null,
  input: Exchange,
  read: 'admin',
  write: 'admin',
  advertiserOf: () => null,
  check: ({ defaultTmax, networkAllowance }) => (networkAllowance < defaultTmax ? [] : [noTimeLeft(defaultTmax)]),
};

function noTimeLeft(defaultTmax: number): Fault {
  return { pointer: '/networkAllowance', code: 'maximum', message: `must be below defaultTmax (${defaultTmax})` };
}

export function registerExchangesRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, EXCHANGES);
}
