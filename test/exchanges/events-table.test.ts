import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';
import { startWarehouse } from '../support/warehouse.ts';

let warehouse: Warehouse;
let stop: () => Promise<void>;

beforeAll(async () => {
  ({ warehouse, stop } = await startWarehouse());
});
afterAll(() => stop?.());

const row = (type: string, detail: string) => ({
  type,
  detail,
  bid: 'b',
  campaign: 'c',
  bid_at: '2026-08-04T12:00:00Z',
  at: '2026-08-04T12:00:01Z',
});

it('what a shown ad reports is kept once for each detail, and the migration may run again over it', async () => {
  const rows = [
    row('media', 'start'),
    row('media', 'complete'),
    row('media', 'start'),
    row('view', 'viewable'),
    row('click', ''),
    row('unsent', 'late'),
  ];
  await warehouse.insert('ad_events', rows);
  await warehouse.insert('ad_events', [row('media', 'start')]);
  const sql = await readFile(new URL('../../dmp/clickhouse/migrations/0064_unsent_bids.sql', import.meta.url), 'utf8');
  await warehouse.command({ sql });
  await warehouse.command({ sql });
  const kept = await warehouse.query<{ type: string; detail: string }>({
    sql: 'SELECT type, detail FROM ad_events FINAL ORDER BY type, detail',
  });
  expect(kept).toEqual([
    { type: 'click', detail: '' },
    { type: 'view', detail: 'viewable' },
    { type: 'media', detail: 'complete' },
    { type: 'media', detail: 'start' },
    { type: 'unsent', detail: 'late' },
  ]);
});
