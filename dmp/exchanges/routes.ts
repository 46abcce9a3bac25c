import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import type { Noun } from '../http/noun.ts';
import { registerResource } from '../http/resource.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { requireScope } from '../keys/auth.ts';
import { checkExchange } from './check-exchange.ts';
import { ExchangeInput, keptExchange, settingsOf } from './exchange.ts';
import { registerMatchRateRoute } from './match-rate.ts';
import { PRESET_NAMES } from './preset-name.ts';
import { PRESETS, withPreset } from './presets.ts';

const EXCHANGES: Noun<'exchange', ExchangeInput> = {
  kind: 'exchange',
  path: 'exchanges',
  title: 'exchange',
  prefix: null,
  input: ExchangeInput,
  read: 'exchanges:read',
  write: 'admin',
  advertiserOf: () => null,
  visible: ({ id }, { exchange = null }) => exchange === null || exchange === id,
  prepare: withPreset,
  writeOnly: ['token', 'priceKeys', 'signatureSecret'],
  check: (exchange, { current }) => checkExchange(exchange, current?.body),
  store: (exchange, { current }) => keptExchange(exchange, current?.body),
  show: ({ body }) => {
    const { tokenHash, keys, signing, ...settings } = settingsOf(body);
    return { ...settings, hasToken: tokenHash !== null, hasPriceKeys: keys !== null, hasSignatureSecret: signing !== null };
  },
  shown: ['hasToken', 'hasPriceKeys', 'hasSignatureSecret'],
};

const PresetView = Type.Object({
  name: Type.String(),
  title: Type.String(),
  notes: Type.Array(Type.String(), { description: 'what the exchange asks for, in words' }),
  settings: Type.Object({}, { description: 'members of an exchange' }),
});

export function registerExchangesRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, EXCHANGES);
  registerMatchRateRoute(app, deps);
  const schema = {
    tags: ['exchanges'],
    operationId: 'listExchangePresets',
    summary: 'List the presets: what known exchanges ask for',
    response: {
      200: {
        description: 'All of them',
        content: { 'application/json': { schema: Type.Object({ data: Type.Array(PresetView) }) } },
      },
      ...PROBLEM_RESPONSES,
    },
  };
  app.get('/v1/exchange-presets', { schema }, async (request) => {
    requireScope(request, 'exchanges:read');
    return { data: PRESET_NAMES.map((name) => ({ name, ...PRESETS[name] })) };
  });
}
