import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import { readBody } from '../events/body.ts';
import { DEFAULT_SOURCE } from '../events/event.ts';
import { referenceFault } from '../http/references.ts';
import { type JobView, newJobId } from '../jobs/jobs.ts';
import { answerJob } from '../jobs/view.ts';
import { maySee, type Principal, requireScope } from '../keys/auth.ts';
import { type Fault, invalid, notFound, Problem } from '../problem.ts';
import { mayBring } from '../sources/access.ts';
import { termsOf } from '../sources/source.ts';
import { urlOf } from './ask.ts';
import { Import, type ResolvedImport } from './import.ts';
import { exampleOf, importPresets, withPreset } from './presets.ts';
import { previewFile } from './preview.ts';
import { createRecord, hasBegun, type ImportRecord, putFile, putJob, readRecord } from './records.ts';
import { mappingFaults } from './targets.ts';
import { storeUpload } from './upload.ts';
import { canBeWhole } from './whole.ts';
import { resultPath } from './worker.ts';

type Call = FastifyRequest<{ Params: { id: string } }>;

const tags = ['imports'];
const params = Type.Object({ id: Type.String({ maxLength: 200 }) });
const SCHEMAS = {
  create: { tags, operationId: 'createImport', summary: 'Say what a file is and how to read it', body: Import },
  presets: { tags, operationId: 'listImportPresets', summary: 'Mappings of known kinds of files' },
  example: {
    tags,
    operationId: 'getImportPresetExample',
    summary: 'A small file as the preset reads it',
    params: Type.Object({ name: Type.String({ maxLength: 64 }) }),
  },
  read: { tags, operationId: 'getImport', summary: 'Read an import', params },
  upload: {
    tags,
    operationId: 'putImportFile',
    summary: 'Send the file of an import',
    description: 'The body is the file, gzip or not. Until its job begins it may be sent anew. The answer is the job.',
    params,
  },
  preview: {
    tags,
    operationId: 'previewImport',
    summary: 'The first rows of a file as they would be taken',
    description:
      'The body is the beginning of the file, at most 4 MB, cut anywhere; without one the file that was sent is looked at. Nothing is stored; identifiers are shown by their keys.',
    params,
    querystring: Type.Object({ rows: Type.Integer({ minimum: 1, maximum: 1000, default: 20 }) }),
  },
  resume: {
    tags,
    operationId: 'resumeImport',
    summary: 'Go on with an import that failed or was cancelled',
    description: 'It goes on after the last rows that are known to be written. The answer is the job.',
    params,
  },
  result: { tags, operationId: 'getImportResult', summary: 'What became of each row, NDJSON', params },
};

/** POST /v1/imports, GET /v1/imports/{id}, PUT /v1/imports/{id}/file, GET /v1/imports/{id}/result */
export function registerImportRoutes(app: FastifyInstance, deps: DmpDeps): void {
  app.post('/v1/imports', { schema: SCHEMAS.create }, (request, reply) => create(deps, request, reply));
  app.get('/v1/import-presets', { schema: SCHEMAS.presets }, async (request) => {
    requireScope(request, 'imports:read');
    return { data: [...importPresets().values()].map(({ example: _, ...preset }) => preset) };
  });
  app.get('/v1/import-presets/:name/example', { schema: SCHEMAS.example }, async (request, reply) => {
    requireScope(request, 'imports:read');
    const { name } = request.params as { name: string };
    const preset = importPresets().get(name);
    if (preset === undefined) throw notFound(`preset ${name.slice(0, 80)}`);
    return reply.type(preset.format === 'csv' ? 'text/csv' : 'application/x-ndjson').send(exampleOf(preset));
  });
  app.get('/v1/imports/:id', { schema: SCHEMAS.read }, async (request) => {
    requireScope(request, 'imports:read');
    return bodyOf(deps, await recordOf(deps, request as Call));
  });
  app.post('/v1/imports/:id/resume', { schema: SCHEMAS.resume }, (request, reply) => resume(deps, request as Call, reply));
  app.get('/v1/imports/:id/result', { schema: SCHEMAS.result }, (request, reply) => sendResult(deps, request as Call, reply));
  app.register(async (scope) => {
    // The file goes to the disk as it comes, whatever it says it is.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    scope.post('/v1/imports/:id/preview', { schema: SCHEMAS.preview }, (request) => preview(deps, request as Call));
    scope.put('/v1/imports/:id/file', { schema: SCHEMAS.upload }, (request, reply) => upload(deps, request as Call, reply));
  });
}

async function create(deps: DmpDeps, request: FastifyRequest, reply: FastifyReply): Promise<object> {
  requireScope(request, 'imports:write');
  const { principal } = request;
  const input = resolve(request.body as Import, principal);
  const faults = [...mappingFaults(input), ...wholeFaults(input), ...referenceFaults(deps, principal, input)];
  if (faults.length > 0) throw invalid(faults);
  if (input.address !== undefined) urlOf(input.address, deps.fetchInside === true);
  const record: ImportRecord = {
    id: `imp_${randomBytes(9).toString('hex')}`,
    input,
    owner: principal.advertiser,
    actor: principal.id,
    createdAt: deps.now(),
    file: null,
    job: null,
    begunAt: null,
    progress: null,
    done: null,
  };
  await createRecord(deps.redis, record);
  if (input.address !== undefined) {
    const job = await startJob(deps, record, principal.id);
    reply.code(201).header('location', `/v1/imports/${record.id}`);
    return bodyOf(deps, { ...record, job: job.id });
  }
  reply.code(201).header('location', `/v1/imports/${record.id}`);
  return bodyOf(deps, record);
}

function wholeFaults({ mode, type, address, ...rest }: ResolvedImport): Fault[] {
  const faults: Fault[] = [];
  if (mode === 'whole' && !canBeWhole(type))
    faults.push({ pointer: '/mode', code: 'enum', message: `a file of ${type} is always incremental` });
  if (rest.format !== 'csv' && rest.delimiter !== undefined)
    faults.push({ pointer: '/delimiter', code: 'unknown_property', message: 'is for CSV' });
  if ((address?.accessKeyId === undefined) !== (address?.secretAccessKey === undefined))
    faults.push({ pointer: '/address', code: 'required', message: 'accessKeyId and secretAccessKey come together' });
  return faults;
}

function resolve(body: Import, principal: Principal): ResolvedImport {
  if (body.preset !== undefined && !importPresets().has(body.preset))
    throw invalid([{ pointer: '/preset', code: 'unknown_preset', message: 'is none of /v1/import-presets' }]);
  const input = withPreset(body);
  if (input === null) {
    const missing = (['type', 'format'] as const).filter((member) => body[member] === undefined);
    throw invalid(
      missing.map((member) => ({ pointer: `/${member}`, code: 'required', message: 'is missing, and no preset says it' })),
    );
  }
  return input.type === 'store' && principal.advertiser !== null ? { advertiser: principal.advertiser, ...input } : input;
}

function referenceFaults(deps: DmpDeps, principal: Principal, input: ResolvedImport): Fault[] {
  const { type, source, advertiser } = input;
  const faults =
    source === undefined || source === DEFAULT_SOURCE ? [] : referenceFault(deps.things, 'source', source, '/source', null);
  const contract = source === undefined ? undefined : deps.things.get('source', source)?.body;
  if (!mayBring(contract, principal.advertiser))
    faults.push({ pointer: '/source', code: 'unknown_source', message: `there is no source ${source}` });
  else if (contract !== undefined && termsOf(contract).revoked !== null)
    faults.push({ pointer: '/source', code: 'source_revoked', message: 'its contract has ended' });
  if (type !== 'store') {
    if (advertiser !== undefined)
      faults.push({ pointer: '/advertiser', code: 'unknown_property', message: 'is for stores only' });
  } else if (advertiser === undefined) {
    faults.push({ pointer: '/advertiser', code: 'required', message: 'is missing: stores are an advertiser’s' });
  } else {
    faults.push(...referenceFault(deps.things, 'advertiser', advertiser, '/advertiser', null));
    if (!maySee(principal, advertiser))
      faults.push({ pointer: '/advertiser', code: 'unknown_advertiser', message: 'there is no such advertiser' });
  }
  return faults;
}

/** The contract may have ended, or the access been taken away, since the import was made: then nothing of its file is kept. */
function expectStillAllowed(deps: DmpDeps, { principal }: Call, { input }: ImportRecord): void {
  const faults = referenceFaults(deps, principal, input);
  if (faults.length > 0) throw invalid(faults, 'The import may not be taken any more');
}

async function upload(deps: DmpDeps, request: Call, reply: FastifyReply): Promise<object> {
  requireScope(request, 'imports:write');
  const record = await recordOf(deps, request);
  expectStillAllowed(deps, request, record);
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip')
    throw new Problem(415, 'unsupported_media_type', 'The content encoding is not known', { detail: 'only gzip is' });
  if (await hasBegun(deps.redis, record.id)) throw begun();
  const file = await storeUpload(deps.uploads, record.id, (request.body as IncomingMessage | undefined) ?? request.raw);
  if (!(await putFile(deps.redis, record.id, file))) {
    const taken = (await readRecord(deps.redis, record.id))?.file?.name;
    if (file.name !== taken) await rm(join(deps.uploads, file.name), { force: true });
    throw begun();
  }
  const before = record.file?.name;
  if (before !== undefined && before !== file.name) await rm(join(deps.uploads, before), { force: true });
  return answerJob(reply, await jobFor(deps, record.id, request.principal.id));
}

/** A job that had not begun when the newer file was put takes that one. */
async function jobFor(deps: DmpDeps, id: string, actor: string): Promise<JobView> {
  const record = await readRecord(deps.redis, id);
  if (record === null) throw notFound(`import ${id}`);
  const waiting = record.job === null ? null : await deps.jobs.get(record.job);
  return waiting?.state === 'queued' || waiting?.state === 'running' ? waiting : startJob(deps, record, actor);
}

/** The import names its job first: one that it does not name takes nothing, so no two of them ever write the same result. */
async function startJob(deps: DmpDeps, { id, job: before }: ImportRecord, actor: string): Promise<JobView> {
  const job = newJobId('import');
  if (!(await putJob(deps.redis, id, job, before)))
    throw new Problem(409, 'conflict', 'Another call started this import just now');
  return deps.jobs.enqueue('import', { import: id }, actor, job);
}

const SAMPLE = { sent: 4 * 1024 ** 2, inflated: 4 * 1024 ** 2 };

async function preview(deps: DmpDeps, request: Call): Promise<object> {
  requireScope(request, 'imports:write');
  const record = await recordOf(deps, request);
  const stream = request.body as IncomingMessage | undefined;
  // Gzip is the file's own here, and cut anywhere.
  const { 'content-encoding': _, ...headers } = request.headers;
  const sample = stream === undefined ? null : await readBody(stream, headers, SAMPLE);
  const isSent = sample !== null && sample.length > 0;
  if (!isSent && !(await hasFile(deps, record)))
    throw new Problem(409, 'missing_file', 'There is no file here: send the beginning of one');
  const { rows } = request.query as { rows: number };
  return previewFile(record, isSent ? sample : null, rows, deps);
}

/** A file goes when it was taken. */
async function hasFile({ uploads }: DmpDeps, { file }: ImportRecord): Promise<boolean> {
  return file !== null && (await stat(join(uploads, file.name)).catch(() => null)) !== null;
}

async function resume(deps: DmpDeps, request: Call, reply: FastifyReply): Promise<object> {
  requireScope(request, 'imports:write');
  const record = await recordOf(deps, request);
  expectStillAllowed(deps, request, record);
  const before = record.job === null ? null : await deps.jobs.get(record.job);
  if (before === null || (record.file === null && record.input.address === undefined))
    throw new Problem(409, 'missing_file', 'There is no file yet to go on with');
  if (before.state !== 'failed' && before.state !== 'cancelled')
    throw new Problem(409, 'conflict', `The import is ${before.state}`);
  return answerJob(reply, await startJob(deps, record, request.principal.id));
}

function begun(): Problem {
  return new Problem(409, 'conflict', 'The file of this import is being taken or was; make another import');
}

async function sendResult(deps: DmpDeps, request: Call, reply: FastifyReply): Promise<FastifyReply> {
  requireScope(request, 'imports:read');
  const { id } = await recordOf(deps, request);
  const handle = await open(resultPath(deps.uploads, id)).catch(() => null);
  if (handle === null) throw new Problem(409, 'conflict', 'The import has no result yet');
  return reply.type('application/x-ndjson').send(createReadStream('', { fd: handle }));
}

async function recordOf(deps: DmpDeps, request: Call): Promise<ImportRecord> {
  const { id } = request.params;
  const record = /^imp_[0-9a-f]{18}$/.test(id) ? await readRecord(deps.redis, id) : null;
  const { advertiser } = request.principal;
  if (record === null || (advertiser !== null && record.owner !== advertiser)) throw notFound(`import ${id.slice(0, 80)}`);
  return record;
}

function shown(input: ResolvedImport): object {
  if (input.address === undefined) return input;
  const { secretAccessKey: _, ...address } = input.address;
  return { ...input, address };
}

async function bodyOf(deps: DmpDeps, record: ImportRecord): Promise<object> {
  const job = record.job === null ? null : await deps.jobs.get(record.job);
  return {
    id: record.id,
    ...shown(record.input),
    source: record.input.source ?? DEFAULT_SOURCE,
    createdAt: new Date(record.createdAt).toISOString(),
    file: record.file === null ? null : { bytes: record.file.bytes, sha256: record.file.sha256 },
    job: record.job,
    status: job?.state ?? (record.file === null ? 'created' : 'queued'),
    result: job?.result ?? null,
    error: job?.error ?? null,
  };
}
