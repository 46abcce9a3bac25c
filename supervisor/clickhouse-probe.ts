// Asks ClickHouse one real question and prints its version. Its argument is a server's URL, or an empty folder for the embedded one.
import { createClient } from '@clickhouse/client';

const target = process.argv[2] ?? '';

async function open() {
  if (/^https?:/.test(target)) return createClient({ url: target, request_timeout: 10_000 });
  const { createChdbConnection } = await import('chdb/connection');
  return createClient({ connection: createChdbConnection({ path: target }) as never });
}

const client = await open();
const answer = await client.query({
  query: 'SELECT version() AS version, h3IsValid(617700169958293503) AS cell',
  format: 'JSONEachRow',
});
const [row] = await answer.json<{ version: string; cell: number }>();
await client.close();
if (row?.cell !== 1) throw new Error('this ClickHouse knows no H3');
console.log(`${/^https?:/.test(target) ? 'server' : 'embedded'} ${row.version}`);
