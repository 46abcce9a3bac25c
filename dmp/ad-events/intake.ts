import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Counter, Gauge } from 'prom-client';
import { AD_EVENT_STREAM } from '../../proto/keys.ts';
import { refusedKeys } from '../consents/refused.ts';
import { takeVerdicts } from '../creatives/verdicts.ts';
import type { DmpDeps } from '../deps.ts';
import { createEdgeMemory, type EdgeMemory, eraOf } from '../events/edge-memory.ts';
import { createKeyring } from '../events/keyring.ts';
import type { Tables } from '../events/rows.ts';
import { emptyTables, tokenOf, writeTables } from '../events/tables.ts';
import { quarantineRow } from '../quarantine/row.ts';
import { createStream, type Stream } from '../streaming/stream.ts';
import { AD_EVENT_SOURCE, type AdEventRow, NOBODY, readEntry } from './rows.ts';
import { AdEventStream, type Entry } from './stream.ts';

const taken = new Counter({
  name: 'walkin_ad_events_total',
  help: 'Ad events that the warehouse took from the stream, by outcome',
  labelNames: ['outcome'] as const,
});
const waiting = new Gauge({ name: 'walkin_ad_event_stream_length', help: 'Ad events in the stream that are not durable yet' });

export interface IntakeOptions {
  /** Entries of another consumer that are pending for so long belong to a dead one. */
  readonly claimAfterMs?: number;
}

export interface Intake {
  /** Resolves when the stream is empty, that is when all that was in it is durable. */
  drained(): Promise<void>;
  close(): Promise<void>;
}

/** Without `things` what exchanges say of creatives is not written down, and no membership is streamed. */
type IntakeDeps = Pick<DmpDeps, 'redis' | 'warehouse' | 'pepper' | 'now' | 'log'> & Partial<Pick<DmpDeps, 'things'>>;

const BATCH = 10_000;
const BLOCK_MS = 200;
/** A batch smaller than this is followed by a pause, so that a trickle makes few inserts. */
const SMALL = 1_000;
const PAUSE_MS = 150;
const CLAIM_AFTER_MS = 5_000;
const CLAIM_EVERY_MS = 1_000;
const RETRY_MS = 500;
const POLL_MS = 20;

/**
 * Takes ad events from the stream into the warehouse: read, insert, and only when that is durable acknowledge and delete. Where
 * the process dies in between, another reads the same entries again, and the same rows replace themselves.
 */
export function startIntake(deps: IntakeDeps, options: IntakeOptions = {}): Intake {
  const claimAfterMs = options.claimAfterMs ?? CLAIM_AFTER_MS;
  const redis = deps.redis.duplicate({ maxRetriesPerRequest: null });
  redis.on('error', () => undefined);
  const stream = new AdEventStream(redis, `${process.pid}-${randomBytes(6).toString('hex')}`);
  const edges = createEdgeMemory();
  const { things } = deps;
  const memberships = things === undefined ? null : createStream({ ...deps, things });
  const closing = new AbortController();
  let claimedAt = 0;

  const next = async (): Promise<Entry[]> => {
    const now = performance.now();
    if (claimedAt === 0 || now - claimedAt > CLAIM_EVERY_MS) {
      claimedAt = now;
      waiting.set(await stream.length());
      const left = await stream.claim(BATCH, claimAfterMs);
      if (left.length > 0) return left;
    }
    return stream.read(BATCH, BLOCK_MS);
  };

  const run = async (): Promise<void> => {
    let opened = false;
    // Kept where a write fails, and tried again.
    let batch: readonly Entry[] = [];
    while (!closing.signal.aborted) {
      try {
        if (!opened) await stream.open();
        opened = true;
        if (batch.length === 0) batch = await next();
        await writeEntries(batch, deps, edges, memberships);
        await stream.done(batch);
        const small = batch.length > 0 && batch.length < SMALL;
        batch = [];
        if (small) await pause(PAUSE_MS, closing.signal);
      } catch (error) {
        // A Redis that lost its data has lost the group too.
        opened = false;
        if (!closing.signal.aborted) deps.log.warn({ err: error }, 'ad events could not be taken, trying again');
        await pause(RETRY_MS, closing.signal);
      }
    }
  };
  const running = run();

  return {
    drained: async () => {
      while ((await deps.redis.xlen(AD_EVENT_STREAM)) > 0) await sleep(POLL_MS);
    },
    close: async () => {
      closing.abort();
      await running;
      await stream.leave().catch(() => undefined);
      redis.disconnect();
    },
  };
}

/** Returns when all rows of the entries are durable. */
async function writeEntries(
  entries: readonly Entry[],
  deps: IntakeDeps,
  edges: EdgeMemory,
  memberships: Stream | null,
): Promise<void> {
  if (entries.length === 0) return;
  const rows: AdEventRow[] = [];
  const tables = emptyTables();
  const withheld = await refusedKeys(deps);
  edges.begin(await eraOf(deps.redis));
  for (const entry of entries) takeEntry(entry, deps, rows, tables, withheld);
  await Promise.all([
    deps.warehouse.insert('ad_events', rows, tokenOf('ad_events', rows)),
    writeTables(deps.warehouse, tables, edges, deps.now()),
  ]);
  memberships?.takeAds(rows, tables.edges);
  await takeVerdictsOf(rows, deps);
  taken.inc({ outcome: 'accepted' }, entries.length - tables.quarantine.length);
  taken.inc({ outcome: 'quarantined' }, tables.quarantine.length);
}

/** Not worth stopping the intake for: the next notice says it again. */
async function takeVerdictsOf(rows: readonly AdEventRow[], { things, now, log }: IntakeDeps): Promise<void> {
  if (things === undefined) return;
  const events = rows.map(({ type, exchange, creative, loss_reason, test }) => ({
    type,
    exchange,
    creative,
    lossReason: loss_reason,
    test: test === 1,
  }));
  await takeVerdicts(things, events, now()).catch((error: unknown) =>
    log.warn({ err: error }, 'an approval was not written down'),
  );
}

function takeEntry(entry: Entry, deps: IntakeDeps, rows: AdEventRow[], tables: Tables, withheld: ReadonlySet<string>): void {
  const read = readEntry(entry.text);
  if ('rows' in read) {
    // The event happened and may cost money; of whom nothing may be stored, it is told without the person.
    rows.push(...read.rows.map((row) => (withheld.has(row.identifier) || withheld.has(row.anchor) ? unnamed(row) : row)));
    if (!read.edges.some(({ a, b }) => withheld.has(a) || withheld.has(b))) tables.edges.push(...read.edges);
    return;
  }
  const text = `${entry.id}\n${entry.text ?? ''}`;
  const refused = {
    source: AD_EVENT_SOURCE,
    import: '',
    type: 'ad_event',
    line: 0,
    text,
    value: read.value,
    faults: read.faults,
  };
  tables.quarantine.push(quarantineRow(refused, createKeyring(deps.pepper), deps.pepper, deps.now()));
}

function unnamed(row: AdEventRow): AdEventRow {
  return { ...row, identifier: NOBODY, anchor: NOBODY, consent: '' };
}

/** Waits, or not where `signal` says that the work is to end. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
