import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DmpDeps } from '../deps.ts';
import { createSealer, type Sealer } from '../identity/seal.ts';
import { readAddress } from '../imports/address.ts';
import { type JobContext, JobRefused, type JobWork } from '../jobs/jobs.ts';
import { Problem } from '../problem.ts';
import { type Guards, minimumOf, type Reason, readGuards } from '../segments/guards.ts';
import { lastRuns } from '../segments/runs.ts';
import { percentOf } from '../segments/unit.ts';
import { recordUses } from '../segments/uses.ts';
import { mayUse, sourcesRecorded } from '../sources/access.ts';
import { termsOf } from '../sources/source.ts';
import { copyToFolder, putToS3, send } from './deliver.ts';
import { type Destination, kindsOf, secretOf } from './destination.ts';
import { type Attempt, type Export, type ExportedSegment, lastDelivered, readExport, saveExport } from './exports.ts';
import { areThere, folderOf, writeFiles } from './files.ts';
import { type Difference, forgetRemoved, segmentsHeld, writeDifference } from './ledger.ts';
import { type Message, signedMessage } from './webhook.ts';

/** Failures after which nobody tries any more, see ATTEMPTS_OF. */
export const MOST_FAILURES = 9;
const SHOWN_ATTEMPTS = 50;
const LOCK_S = 900;

const lockKey = (destination: string): string => `walkin:export:${destination}`;

/**
 * Makes and delivers an export. It may be run again at any time, also after a death in the middle: what it sends is decided once and
 * written down, files and messages of it are always the same, and those that were taken are not sent again.
 */
export function exportWork(deps: DmpDeps): JobWork<'export'> {
  return async ({ export: id }, context) => {
    const record = await readExport(deps.warehouse, id);
    if (record === null) throw new JobRefused('not_found', `there is no export ${id}`);
    if (record.state !== 'queued' && record.state !== 'failed') return summaryOf(record);
    const destination = deps.things.get('destination', record.destination)?.body;
    if (destination === undefined) throw new JobRefused('not_found', `there is no destination ${record.destination}`);
    const lock = lockKey(record.destination);
    const mine = (await deps.redis.set(lock, id, 'EX', LOCK_S, 'NX')) === 'OK' || (await deps.redis.get(lock)) === id;
    if (!mine) throw new Error('another export of the destination runs');
    try {
      return await runExport(deps, destination, record, context);
    } finally {
      await deps.redis.del(lock);
    }
  };
}

async function runExport(deps: DmpDeps, destination: Destination, queued: Export, context: JobContext): Promise<object> {
  const sealer = createSealer(deps.pepper);
  let record = queued;
  const save = async (change: Partial<Export>): Promise<void> => {
    record = { ...record, ...change };
    await saveExport(deps.warehouse, record, deps.now());
  };
  try {
    await context.checkpoint();
    await context.progress({ done: 0, total: 3, unit: 'steps', stage: 'prepare' });
    if (!record.prepared) {
      const last = await lastDelivered(deps.warehouse, record.destination);
      if (last >= record.number) {
        await save({ state: 'superseded', error: 'a later export was delivered' });
        return summaryOf(record);
      }
      await save({ segments: await prepare(deps, destination, record, last), prepared: true });
    }
    await context.checkpoint();
    await context.progress({ done: 1, total: 3, unit: 'steps', stage: 'files' });
    if (record.deliveredAt === null) await save({ files: await writeFiles(deps, sealer, destination, record) });
    // The ledger has forgotten whom it took back, so that the files could not be made again.
    else if (!(await areThere(deps.uploads, record))) throw new JobRefused('missing_file', 'its files are kept no longer');
    await context.checkpoint();
    await context.progress({ done: 2, total: 3, unit: 'steps', stage: 'deliver' });
    await recordUses(deps, usesOf(record));
    const isWaiting = destination.delivery.to === 'download' && record.files.length > 0;
    if (isWaiting) await save({ state: 'ready', error: null });
    else {
      await deliver(deps, sealer, destination, record, save, () => record);
      await save({ state: 'delivered', deliveredAt: new Date(deps.now()).toISOString(), error: null });
      await forgetRemoved(deps.warehouse, record.destination, record.number, 'erased');
    }
    await context.progress({ done: 3, total: 3, unit: 'steps', stage: 'done' });
    return summaryOf(record);
  } catch (error) {
    const failures = record.failures + 1;
    const isDead = failures >= MOST_FAILURES || error instanceof JobRefused;
    await save({ failures, state: isDead ? 'dead' : 'failed', error: sayable(error) });
    if (isDead && !(error instanceof JobRefused)) throw new JobRefused('unreachable', `given up after ${failures} failures`);
    throw error;
  }
}

function sayable(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 300);
}

/** Decides whom the export adds and removes, segment by segment. */
async function prepare(deps: DmpDeps, destination: Destination, record: Export, last: number): Promise<ExportedSegment[]> {
  const { warehouse, things } = deps;
  const listed = destination.segments.map(({ segment }) => segment);
  const before = await segmentsHeld(warehouse, record.destination, last);
  const ids = [...new Set([...listed, ...before])];
  const use = { purpose: 'personalised_ads', destination: destination.kind } as const;
  const guards = await readGuards(warehouse, things, ids, use);
  const runs = await lastRuns(warehouse, ids);
  const prepared: ExportedSegment[] = [];
  for (const segment of ids) {
    const run = runs.get(segment);
    const reasons = reasonsOf(destination, guards, segment, listed.includes(segment));
    const difference: Difference = {
      ...{
        destination: record.destination,
        segment,
        number: record.number,
        last,
        version: run?.version ?? 0,
        members: run?.members ?? 0,
      },
      ...{
        kinds: kindsOf(destination),
        ...sourcesFor(deps, destination),
        audience: ['', destination.advertiser],
        sure: percentOf(things.get('segment', segment)?.body.confidence),
        now: deps.now(),
      },
      wanted: wantedOf(reasons, record.mode),
    };
    let counted = await writeDifference(warehouse, difference);
    const minimum = minimumOf(things, segment);
    // Of a large segment only few may have an identifier: a list of these few would name them.
    if (reasons.length === 0 && counted.matched > 0 && counted.matched < minimum) {
      const message = `fewer than ${minimum} of its people have an identifier that may be sent there`;
      reasons.push({ segment, code: 'below_minimum', message });
      counted = await writeDifference(warehouse, { ...difference, wanted: wantedOf(reasons, record.mode) });
    }
    const state = reasons.length === 0 ? 'sent' : 'held';
    prepared.push({ segment, version: difference.version, state, reasons, members: run?.members ?? 0, ...counted });
  }
  return prepared;
}

/** Why nobody may be added; none: they may. */
function reasonsOf({ status }: Destination, guards: Guards, segment: string, isListed: boolean): Reason[] {
  if (!isListed) return [{ segment, code: 'terms', message: 'the destination does not list the segment any more' }];
  const reasons = [...guards.of(segment).reasons];
  if (status === 'paused') reasons.push({ segment, code: 'paused', message: 'the destination is paused' });
  return reasons;
}

/**
 * A segment that shrank below its minimum, or a destination that is paused, keeps whom it has but for those who are to be removed; what
 * may not be there at all is taken back whole, and so is a small list where it would be sent whole.
 */
function wantedOf(reasons: readonly Reason[], mode: Export['mode']): Difference['wanted'] {
  if (reasons.length === 0) return 'all';
  const isForbidden = reasons.some(({ code }) => code === 'terms' || code === 'sensitive');
  return isForbidden || (mode === 'full' && !reasons.every(({ code }) => code === 'paused')) ? 'none' : 'held';
}

/** Sources whose identifiers the advertiser may have sent to a destination of this kind. */
function sourcesFor({ things }: DmpDeps, { advertiser, kind }: Destination): Pick<Difference, 'sources' | 'recorded'> {
  const sources = things
    .list('source')
    .filter(({ body }) => mayUse(body, advertiser, 'profiles') && mayUse(body, advertiser, 'personalised_ads'))
    .filter(({ body }) => termsOf(body).destinations.includes(kind))
    .map(({ id }) => id);
  return { sources, recorded: sourcesRecorded(things) };
}

function usesOf({ destination, advertiser, actor, segments }: Export) {
  return segments
    .filter(({ held, added, removed }) => held + added + removed > 0)
    .map(({ segment, version, matched }) => ({
      ...{ segment, advertiser, use: 'export' as const, id: destination, version, people: matched, actor },
    }));
}

type Save = (change: Partial<Export>) => Promise<void>;

async function deliver(
  deps: DmpDeps,
  sealer: Sealer,
  destination: Destination,
  record: Export,
  save: Save,
  current: () => Export,
): Promise<void> {
  const { delivery } = destination;
  const allowInside = deps.fetchInside === true;
  const attempt = async (name: string, work: () => Promise<number | null>): Promise<void> => {
    if (current().done.includes(name)) return;
    const at = new Date(deps.now()).toISOString();
    const note = (status: number | null, error: string | null): readonly Attempt[] =>
      [...current().attempts, { at, name, status, error }].slice(-SHOWN_ATTEMPTS);
    let status: number | null;
    try {
      status = await work();
    } catch (error) {
      await save({ attempts: note(null, sayable(error)) });
      if (error instanceof Problem && error.status === 422) throw new JobRefused('address_refused', error.message);
      throw error;
    }
    if (status !== null && (status < 200 || status > 299)) {
      await save({ attempts: note(status, `answered ${status}`) });
      // 410 Gone is how a receiver says that it wants no more (Standard Webhooks).
      if (status === 410) throw new JobRefused('unreachable', 'the address is gone');
      throw new Error(`the address answered ${status}`);
    }
    await save({ done: [...current().done, name], attempts: note(status, null) });
  };
  if (delivery.to === 'url') {
    const secret = sealer.open(destination.sealedSigningSecret ?? '', secretOf(record.destination, 'signing'));
    for (const file of record.files)
      for await (const line of linesOf(join(folderOf(deps.uploads, record.id), file.name))) {
        const message = JSON.parse(line) as Message;
        await attempt(message.id, async () => {
          const body = Buffer.from(message.body);
          const headers = {
            ...{ 'content-type': 'application/json', 'content-length': String(body.length), 'user-agent': 'walkin' },
            ...signedMessage(message, secret, deps.now()),
          };
          return (await send({ method: 'POST', url: readAddress(delivery.url, allowInside), headers, body, allowInside })).status;
        });
      }
    return;
  }
  for (const file of record.files)
    await attempt(file.name, async () => {
      const path = join(folderOf(deps.uploads, record.id), file.name);
      if (delivery.to === 'folder') await copyToFolder(deps.uploads, delivery.folder, path, file.name);
      if (delivery.to !== 's3') return null;
      const secretAccessKey = sealer.open(destination.sealedAccessKeySecret ?? '', secretOf(record.destination, 'access'));
      return (await putToS3({ ...delivery, secretAccessKey }, path, file, { allowInside, now: deps.now() })).status;
    });
}

function linesOf(path: string): AsyncIterable<string> {
  return createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
}

function summaryOf({ id, state, segments, files }: Export): object {
  const sum = (of: (segment: ExportedSegment) => number): number => segments.reduce((total, one) => total + of(one), 0);
  return { export: id, state, files: files.length, added: sum(({ added }) => added), removed: sum(({ removed }) => removed) };
}
