import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createDataProcess, type DataProcess } from '../support/data-process.ts';

let dmp: DataProcess;
beforeAll(async () => {
  dmp = await createDataProcess('dmp/main.ts');
});
afterAll(() => dmp.close());

const put = (id: string, name: string) =>
  dmp.call('PUT', `/v1/sources/${id}`, JSON.stringify({ name, party: '1p' }), {
    'content-type': 'application/json',
    'if-match': '*',
  });

test('a dmp that is killed in the middle of writes has all that it acknowledged, and nothing half', async () => {
  const acknowledged = new Map<string, { revision: number }>();
  for (let round = 0; round < 2; round++) {
    await dmp.start();
    const write = async (n: number): Promise<void> => {
      const id = `src_${n % 7}`;
      const response = await put(id, `round ${round} write ${n}`);
      const thing = (await response.json()) as { revision: number };
      expect(response.status).toBeLessThan(300);
      if (thing.revision > (acknowledged.get(id)?.revision ?? 0)) acknowledged.set(id, thing);
    };
    const writes = Array.from({ length: 300 }, (_, n) => write(n).catch(() => undefined));
    await vi.waitFor(() => expect(acknowledged.size).toBe(7), 20_000);
    await dmp.kill();
    await Promise.all(writes);
  }
  await dmp.start();
  for (const [id, thing] of acknowledged) {
    const kept = (await (await dmp.call('GET', `/v1/sources/${id}`)).json()) as { revision: number; name: string };
    // What was durable but not yet answered may be there too.
    expect(kept.revision).toBeGreaterThanOrEqual(thing.revision);
    if (kept.revision === thing.revision) expect(kept).toEqual(thing);
  }
  const written = await put('src_0', 'after');
  expect(written.status).toBe(200);
  const began = performance.now();
  expect(await dmp.end()).toBe(0);
  expect(performance.now() - began).toBeLessThan(5_000);
}, 180_000);
