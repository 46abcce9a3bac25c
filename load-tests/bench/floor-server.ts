// A bare Fastify server: parses the same bodies and answers the same bytes as the bidder did. What Walkin adds is the difference.
// Argument: the file of the answers, by template. Prints its port.
import { readFileSync } from 'node:fs';
import Fastify from 'fastify';
import { templateIn } from './requests.ts';

const answers = (JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as (string | null)[]).map((body) =>
  body === null ? null : Buffer.from(body, 'base64'),
);
const app = Fastify({ logger: false, keepAliveTimeout: 160_000, requestTimeout: 0 });
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
app.post('/openrtb2/:exchange', (request, reply) => {
  const { id } = JSON.parse((request.body as Buffer).toString()) as { id: string };
  const answer = answers[templateIn(id)] ?? null;
  reply.code(answer === null ? 204 : 200).header('x-openrtb-version', '2.6');
  if (answer === null) return reply.send();
  return reply.header('content-type', 'application/json').send(answer);
});
process.on('SIGTERM', () => process.exit(0));
await app.listen({ host: '127.0.0.1', port: Number(process.argv[3]) });
