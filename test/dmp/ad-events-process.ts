import { Redis } from 'ioredis';
import { pino } from 'pino';
import { startIntake } from '../../dmp/ad-events/intake.ts';
import { migrate } from '../../dmp/clickhouse/migrate.ts';
import { openWarehouse } from '../../dmp/clickhouse/warehouse.ts';

// An intake as a process of its own, to be killed: node ad-events-process.ts <redis socket> <data folder> <take | count>
const [, , socket = '', path = '', mode] = process.argv;
const redis = new Redis(socket, { maxRetriesPerRequest: null });
const warehouse = await openWarehouse({ kind: 'embedded', path, database: 'walkin' });
await migrate(warehouse);
const log = pino({ level: 'silent' });
const intake = startIntake({ redis, warehouse, pepper: 'pepper', now: Date.now, log }, { claimAfterMs: 0 });
process.stdout.write('started\n');
if (mode === 'count') {
  await intake.drained();
  await intake.close();
  const sql =
    'SELECT toString(type) AS type, count() AS n, uniqExact(bid) AS bids, sum(cost) AS cost FROM ad_events FINAL GROUP BY type ORDER BY type';
  process.stdout.write(`${JSON.stringify(await warehouse.query({ sql }))}\n`);
  await warehouse.close();
  redis.disconnect();
}
