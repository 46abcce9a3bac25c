import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { CODES } from './codes.ts';

const DESCRIPTION = `Stores, segments, campaigns, data in, reports out.

Errors are problem+json (RFC 9457) with every fault at once and stable codes, listed at /docs/errors. Changes need If-Match with
the ETag that was read. Money is an integer of micros, times are RFC 3339, ids are texts.`;

const PROBLEM = {
  $id: 'Problem',
  type: 'object',
  required: ['type', 'title', 'status', 'instance', 'code', 'requestId', 'errors'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string' },
    code: { type: 'string', enum: Object.keys(CODES) },
    requestId: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['pointer', 'code', 'message'],
        properties: { pointer: { type: 'string' }, code: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
} as const;

/** /openapi.json, /docs and /docs/errors, open to all. Call before the routes that they describe. */
export function useApiDocs(app: FastifyInstance): void {
  app.addSchema(PROBLEM);
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Walkin admin API', description: DESCRIPTION, version: '1' },
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{ key: [] }],
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, index) => String(json['$id'] ?? `def-${index}`) },
  });
  app.register(swaggerUi, { routePrefix: '/docs' });
  const open = { config: { open: true }, schema: { hide: true } };
  app.get('/openapi.json', open, () => app.swagger());
  app.get('/docs/errors', open, (_, reply) => reply.type('text/html; charset=utf-8').send(errorsPage()));
}

function errorsPage(): string {
  const rows = Object.entries(CODES).map(
    ([code, sentence]) => `<dt id="${code}"><code>${code}</code></dt><dd>${escapeHtml(sentence)}</dd>`,
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Walkin: error codes</title><h1>Error codes</h1><dl>${rows.join('\n')}</dl></html>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
