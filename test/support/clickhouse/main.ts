import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { openEngine } from './engine.ts';
import { readForm } from './form.ts';
import { createPool } from './pool.ts';
import { codeOf, Refusal, statusOf } from './refusal.ts';

// ClickHouse's HTTP interface over the embedded engine: the arguments are the engine's folder and a port, 0 for a free one. It is the
// same SQL engine behind the real client and protocol. It is not a server: it has no scheduler of its own, runs statements with
// parameters one at a time, cannot cut off a statement that runs, and takes the body of an insert into memory before it begins.

const [folder = '', port = '0'] = process.argv.slice(2);
const USER = process.env['STAND_IN_USER'] ?? 'default';
const PASSWORD = process.env['STAND_IN_PASSWORD'] ?? '';
const CONNECTIONS = 8;
const KEEP_ALIVE_MS = 10_000;

/** Fields that are no settings; of the rest the engine says itself whether it knows them. */
const OURS = new Set([
  ...['query', 'query_id', 'database', 'default_format', 'user', 'password', 'quota_key', 'role', 'compress', 'decompress'],
  ...['session_id', 'session_timeout', 'session_check', 'wait_end_of_query', 'buffer_size', 'enable_http_compression'],
  ...['send_progress_in_http_headers', 'http_headers_progress_interval_ms', 'http_write_exception_in_output_format'],
]);
/** Rows may be sent as they are made where no head stands before them. */
const STREAMED = /\bFORMAT\s+(RowBinary)\s*;?\s*$/i;
/** Files are the server's alone. */
const FILES = /\bINTO\s+OUTFILE\b|\bFROM\s+INFILE\b|\bfile\s*\(\s*'/i;

const engine = openEngine(folder);
const pool = createPool(engine, CONNECTIONS);
const version = Buffer.from((await engine.open().run('SELECT version()', {}, 'TSVRaw')).bytes)
  .toString()
  .trim();

const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, (request, response) => {
  answer(request, response).catch((error: unknown) => fail(response, error));
});
server.listen(Number(port), '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as { port: number }).port, version })}\n`);
});
// Its parent is gone.
process.stdin.on('end', () => process.exit(0)).resume();

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/ping') return void response.end('Ok.\n');
  const { fields, body } = await readForm(request);
  authenticate(request, fields);
  const inAddress = fields.get('query') ?? '';
  const sql = inAddress === '' ? body.toString() : inAddress;
  const data = inAddress === '' ? Buffer.alloc(0) : body;
  if (sql === '') throw new Refusal(62, 'SYNTAX_ERROR', 'Empty query');
  if (FILES.test(sql.replaceAll(/'(?:[^'\\]|\\.)*'/g, "''")))
    throw new Refusal(291, 'DATABASE_ACCESS_DENIED', 'File is not inside the folder of user files');
  const queryId = fields.get('query_id') ?? '';
  const format = fields.get('default_format') ?? 'TabSeparated';
  response.setHeader('X-ClickHouse-Query-Id', queryId);
  response.setHeader('X-ClickHouse-Server-Display-Name', 'stand-in');
  response.setHeader('X-ClickHouse-Timezone', 'UTC');
  response.setHeader('X-ClickHouse-Format', format);
  const isPacked = fields.get('enable_http_compression') === '1' && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
  const params = Object.fromEntries(
    [...fields].filter(([name]) => name.startsWith('param_')).map(([name, value]) => [name.slice('param_'.length), value]),
  );
  const killed = /^\s*KILL\s+QUERY\s+WHERE\s+(.+?)\s+SYNC\s*$/is.exec(sql);
  if (killed !== null) {
    await waitFor(killed[1] as string);
    return void response.end();
  }
  const ended = running(queryId, sql);
  const work = pool.use(surroundingsOf(fields), async (connection) => {
    if (data.length > 0 && /^\s*INSERT\b/i.test(sql)) {
      const { rowsWritten, bytesWritten, elapsed } = await connection.insert(sql, data);
      summarize(response, { written_rows: rowsWritten, written_bytes: bytesWritten, elapsed_ns: Math.round(elapsed * 1e9) });
      response.end();
    } else if (STREAMED.test(sql)) {
      const rows = connection.stream(sql, params, format)[Symbol.asyncIterator]();
      const first = await rows.next();
      if (first.done === true) return void response.end();
      response.write(first.value);
      for await (const piece of { [Symbol.asyncIterator]: () => rows }) await written(response, piece);
      response.end();
    } else {
      const text = data.length === 0 ? sql : `${sql}\n${data.toString()}`;
      const { bytes, rowsRead, bytesRead, elapsed } = await connection.run(text, params, format);
      summarize(response, { read_rows: rowsRead, read_bytes: bytesRead, elapsed_ns: Math.round(elapsed * 1e9) });
      await send(response, Readable.from([Buffer.from(bytes)], { objectMode: false }), isPacked);
    }
  });
  await work.finally(ended);
}

/** Statements that run, as system.processes tells them. */
const processes = new Map<string, { readonly kind: string; readonly end: Promise<void> }>();

function running(id: string, sql: string): () => void {
  const [, word = ''] = /^\s*(\w+)/.exec(sql) ?? [];
  const kind = word.toUpperCase() === 'WITH' ? 'Select' : `${word.slice(0, 1).toUpperCase()}${word.slice(1).toLowerCase()}`;
  let ended = (): void => undefined;
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  processes.set(id, { kind, end });
  return () => {
    processes.delete(id);
    ended();
  };
}

/** The engine here cannot cut a statement off: it is waited for. Which ones, the engine itself says. */
async function waitFor(where: string): Promise<void> {
  const rows = [...processes].map(([id, { kind }]) => `('${id.replaceAll(/[^\w-]/g, '')}', '${kind}')`);
  if (rows.length === 0) return;
  const sql = `SELECT query_id FROM values('query_id String, query_kind String', ${rows.join(', ')}) WHERE ${where}`;
  const surroundings = { database: 'default', settings: {}, session: null };
  const { bytes } = await pool.use(surroundings, (connection) => connection.run(sql, {}, 'TSVRaw'));
  const ids = Buffer.from(bytes).toString().trim().split('\n');
  await Promise.all(ids.map((id) => processes.get(id)?.end));
}

function surroundingsOf(fields: ReadonlyMap<string, string>) {
  const settings = [...fields].filter(([name]) => !OURS.has(name) && !name.startsWith('param_'));
  const session = fields.get('session_id');
  return {
    database: fields.get('database') ?? 'default',
    settings: Object.fromEntries(settings),
    session: session === undefined ? null : { id: session, seconds: Number(fields.get('session_timeout') ?? 60) },
  };
}

function authenticate(request: IncomingMessage, fields: ReadonlyMap<string, string>): void {
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  const [, named, secret] = /^([^:]*):(.*)$/.exec(Buffer.from(basic ?? '', 'base64').toString()) ?? [];
  const user = request.headers['x-clickhouse-user'] ?? fields.get('user') ?? named ?? 'default';
  const password = request.headers['x-clickhouse-key'] ?? fields.get('password') ?? secret ?? '';
  if (user !== USER || password !== PASSWORD)
    throw new Refusal(516, 'AUTHENTICATION_FAILED', `${String(user)}: Authentication failed: password is incorrect`);
}

function summarize(response: ServerResponse, known: Readonly<Record<string, number>>): void {
  const zeros = {
    read_rows: 0,
    read_bytes: 0,
    written_rows: 0,
    written_bytes: 0,
    total_rows_to_read: 0,
    result_rows: 0,
    elapsed_ns: 0,
  };
  const summary = Object.entries({ ...zeros, ...known }).map(([name, value]) => [name, String(value)]);
  response.setHeader('X-ClickHouse-Summary', JSON.stringify(Object.fromEntries(summary)));
}

/** At the pace of the reader. Where nobody reads any more the statement ends. */
async function written(response: ServerResponse, piece: Uint8Array): Promise<void> {
  if (response.destroyed) throw new Error('nobody reads any more');
  if (response.write(piece)) return;
  await Promise.race([once(response, 'drain'), once(response, 'close')]);
}

async function send(response: ServerResponse, rows: Readable, isPacked: boolean): Promise<void> {
  // Nobody listens any more: the statement has run, as a server lets it.
  const over = (error: unknown): void => {
    if (!response.destroyed) throw error;
  };
  if (!isPacked) return pipeline(rows, response).catch(over);
  response.setHeader('Content-Encoding', 'gzip');
  return pipeline(rows, createGzip(), response).catch(over);
}

/** Where rows are on their way a server says why, and breaks the transfer off, so that no reader takes them for all. */
function fail(response: ServerResponse, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const said = `${message.trim()} (version ${version} (official build))\n`;
  if (response.destroyed) return;
  if (response.headersSent) return void response.write(`\r\n__exception__\r\n${said}`, () => response.destroy());
  const code = codeOf(message);
  response.statusCode = statusOf(code);
  response.setHeader('X-ClickHouse-Exception-Code', String(code));
  response.end(said);
}
