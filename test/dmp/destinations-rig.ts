import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Export } from '../../dmp/destinations/exports.ts';
import { exportWork } from '../../dmp/destinations/run.ts';
import { createKeyring } from '../../dmp/events/keyring.ts';
import type { JobContext } from '../../dmp/jobs/jobs.ts';
import { recordRun } from '../../dmp/segments/runs.ts';
import type { IdentifierKind } from '../../proto/identifier.ts';
import { createIdentity } from '../../segmenter/identity.ts';
import type { TestApi } from '../support/api.ts';

type Named = readonly [kind: IdentifierKind, value: string, os?: string];

/** People with identifiers, and memberships as evaluations write them, for tests of what is sent. */
export interface SendRig {
  /** What a source says of people, each a list of identifiers. */
  identify(source: string, people: readonly (readonly Named[])[]): Promise<void>;
  /** Makes these, and nobody else, members of the segment in a new version. */
  members(segment: string, of: readonly (readonly [kind: IdentifierKind, value: string])[]): Promise<void>;
  /** Asks for an export and runs it. */
  send(destination: string, mode?: string): Promise<Export>;
  run(id: string): Promise<Export>;
  /** Contents of the files, by name without the number. */
  files(record: Export): Promise<Record<string, string>>;
  fetchAll(record: Export): Promise<void>;
}

export const STEPS: JobContext = { id: 'job', progress: async () => undefined, checkpoint: async () => undefined };

export function sendRig(api: TestApi): SendRig {
  const { warehouse, pepper } = api.deps;
  const identity = createIdentity(api.deps);
  const held = new Map<string, Set<number>>();
  let version = 0;
  const read = (id: string): Promise<Export> => api.ok<Export>('GET', `/v1/exports/${id}`);
  const rig: SendRig = {
    identify: async (source, people) => {
      const events = people.map((identifiers) => ({
        ...{ type: 'identify', at: '2026-01-02T00:00:00Z', attributes: { met: 1 } },
        identifiers: identifiers.map(([kind, value, os]) => ({ kind, value, ...(os === undefined ? {} : { os }) })),
      }));
      const taken = await api.ok<{ quarantined: number; errors: unknown }>('POST', `/v1/events?source=${source}`, events);
      if (taken.quarantined > 0) throw new Error(JSON.stringify(taken.errors));
      await identity.fold();
    },
    members: async (segment, of) => {
      const ring = createKeyring(pepper);
      const keys = of.map(([kind, value]) => ring.keyOf(kind, value));
      const sql = 'SELECT DISTINCT profile FROM identities FINAL WHERE identifier IN {keys:Array(UUID)}';
      const rows = await warehouse.query<{ profile: number }>({ sql, params: { keys } });
      const now = new Set(rows.map(({ profile }) => profile));
      const before = held.get(segment) ?? new Set<number>();
      version++;
      const at = new Date().toISOString();
      const entered = [...now].filter((profile) => !before.has(profile));
      const left = [...before].filter((profile) => !now.has(profile));
      await warehouse.insert('memberships', [
        ...entered.map((profile) => ({ segment, profile, version, status: 1, at })),
        ...left.map((profile) => ({ segment, profile, version, status: -1, at })),
      ]);
      held.set(segment, now);
      const run = { revision: 1, started: Date.now() + version, seconds: 0.1, members: now.size, error: '' as const };
      await recordRun(warehouse, { segment, version, ...run, entered: entered.length, left: left.length });
    },
    send: async (destination, mode) => {
      const { id } = await api.ok<{ id: string }>(
        'POST',
        `/v1/destinations/${destination}/export`,
        mode === undefined ? {} : { mode },
      );
      return rig.run(id);
    },
    run: async (id) => {
      await exportWork(api.deps)({ export: id }, STEPS);
      return read(id);
    },
    files: async (record) => {
      const texts: Record<string, string> = {};
      for (const { name } of record.files)
        texts[name.replace(`.${record.number}.`, '.')] = await readFile(
          join(api.deps.uploads, 'exports', record.id, name),
          'utf8',
        );
      return texts;
    },
    fetchAll: async (record) => {
      for (const { name } of record.files)
        await api.call('GET', `/v1/exports/${record.id}/file?name=${encodeURIComponent(name)}`);
      for (let tries = 0; (await read(record.id)).state !== 'delivered'; tries++) {
        if (tries > 200) throw new Error('the export is not delivered');
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
  };
  return rig;
}

/** Lines after the first, sorted. */
export function body(text: string | undefined): string[] {
  return (text ?? '').split('\n').slice(1, -1).sort();
}
