import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { requireScope } from '../keys/auth.ts';
import { invalid, notFound } from '../problem.ts';
import { RATES_ID, Rates } from './rates.ts';

const ok = { 200: { description: 'It', content: { 'application/json': { schema: Type.Object(Rates.properties) } } } };
const CLOCKS_DIFFER_MS = 3_600_000;

/** The table of exchange rates. Publishing one again is harmless, so no ETag is asked for: the newest `at` stays. */
export function registerRatesRoutes(app: FastifyInstance, { things, now }: DmpDeps): void {
  const tags = ['rates'];
  const read = { tags, operationId: 'getRates', summary: 'Read the exchange rates', response: { ...ok, ...PROBLEM_RESPONSES } };
  app.get('/v1/rates', { schema: read }, async (request) => {
    requireScope(request, 'admin');
    const rates = things.get('rates', RATES_ID);
    if (rates === undefined) throw notFound('table of rates');
    return rates.body;
  });
  const summary = 'Publish exchange rates; older ones than there are change nothing';
  const publish = { tags, operationId: 'putRates', summary, body: Rates, response: { ...ok, ...PROBLEM_RESPONSES } };
  app.put('/v1/rates', { schema: publish, config: { audited: 'thing' } }, async (request) => {
    requireScope(request, 'admin');
    const rates = request.body as Rates;
    if (Date.parse(rates.at) > now() + CLOCKS_DIFFER_MS)
      throw invalid([{ pointer: '/at', code: 'bad_time', message: 'is in the future' }]);
    const current = things.get('rates', RATES_ID)?.body;
    if (current !== undefined && Date.parse(current.at) > Date.parse(rates.at)) return current;
    return (await things.put('rates', RATES_ID, rates, { actor: request.principal.id })).body;
  });
}
