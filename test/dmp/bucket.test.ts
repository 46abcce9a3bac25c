import { expect, test } from 'vitest';
import { bucketOf } from '../../proto/bucket.ts';
import { identifierKey } from '../../proto/identifier.ts';
import { startWarehouse } from '../support/warehouse.ts';

test('ClickHouse and the bidder put a person into the same bucket', async () => {
  const { warehouse, stop } = await startWarehouse();
  const anchors = Array.from({ length: 500 }, (_, n) => identifierKey('ifa', `device ${n}`, 'pepper'));
  const rows = await warehouse.query<{ anchor: string; bucket: number }>({
    sql: "SELECT anchor, murmurHash3_32(concat('salt:', toString(anchor))) % 10000 AS bucket FROM (SELECT arrayJoin({anchors:Array(UUID)}) AS anchor)",
    params: { anchors },
  });
  expect(rows).toHaveLength(500);
  for (const { anchor, bucket } of rows) expect(bucketOf(anchor, 'salt')).toBe(bucket);
  await stop();
});
