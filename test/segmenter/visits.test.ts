import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { cellOf, cellToUInt64 } from '../../proto/fence.ts';
import { createVisits } from '../../segmenter/visits.ts';
import { int, pick, type Random, seeded } from '../dmp/segments-world.ts';
import { type Rig, startRig, uuid } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());
beforeEach(() => rig.reset());

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const METRE = 1 / 111_195.08;
const LAT = 55.75;
const LON = 37.61;
/** A Monday at 00:00 UTC, some weeks ago. */
const MONDAY = Math.floor((Date.now() - 21 * DAY - 4 * DAY) / (7 * DAY)) * 7 * DAY + 4 * DAY;

interface PingRow {
  device: number;
  at: number;
  /** Metres to the north and east of (LAT, LON). */
  north: number;
  east?: number;
  error?: number;
  class?: 'high' | 'medium' | 'low';
}

async function putPings(pings: readonly PingRow[], source = 's'): Promise<void> {
  const ingested = new Date(rig.now()).toISOString();
  const rows = pings.map(({ device, at, north, east = 0, error = 15, class: trust = 'high' }) => {
    const lat = LAT + north * METRE;
    const lon = LON + (east * METRE) / Math.cos((LAT * Math.PI) / 180);
    return {
      source,
      identifier: uuid(device),
      at: new Date(at).toISOString(),
      lat,
      lon,
      error,
      class: trust,
      cell: cellToUInt64(cellOf(lat, lon)),
      ingested,
    };
  });
  await rig.warehouse.insert('pings', rows);
}

/** A device that is at a place from a minute for some minutes, seen every two. */
const stay = (device: number, from: number, minutes: number, north: number, more: Partial<PingRow> = {}): PingRow[] =>
  Array.from({ length: Math.floor(minutes / 2) + 1 }, (_, n) => ({ device, at: from + n * 2 * MINUTE, north, ...more }));

interface Row {
  identifier: string;
  kind: string;
  place: string;
  day: string;
  start: string;
  end: string;
  dwell: number;
  pings: number;
}

async function visits(): Promise<Row[]> {
  return rig.warehouse.query<Row>({
    sql: `SELECT identifier, kind, place, day, start, \`end\`, dwell, pings FROM visits FINAL WHERE cancelled = 0
      ORDER BY identifier, kind, place, day`,
  });
}

const short = async (): Promise<string[]> =>
  (await visits()).map((row) => `${Number(row.identifier.slice(-12))} ${row.place} ${row.day} ${row.dwell / 60}`);

const day = (at: number): string => new Date(at).toISOString().slice(0, 10);

test('a stay in a fence is a visit, with its time and dwell', async () => {
  await rig.store('st_1', LAT, LON, 75);
  await putPings(stay(1, MONDAY + 12 * HOUR, 20, 0));
  expect(await createVisits(rig).find()).toMatchObject({ written: 1, cancelled: 0 });
  expect(await visits()).toEqual([
    {
      identifier: uuid(1),
      kind: 'store',
      place: 'st_1',
      day: day(MONDAY),
      start: `${day(MONDAY)} 12:00:00.000`,
      end: `${day(MONDAY)} 12:20:00.000`,
      dwell: 1200,
      pings: 11,
    },
  ]);
});

test('too short, too long, too far and too vague are no visits', async () => {
  await rig.store('st_1', LAT, LON, 75);
  await putPings([
    ...stay(1, MONDAY, 2, 0),
    ...stay(2, MONDAY, 182, 0),
    ...stay(3, MONDAY, 20, 75 + 16),
    ...stay(4, MONDAY, 20, 75 + 14),
    ...stay(5, MONDAY, 20, 75 + 51, { error: 200, class: 'medium' }),
    ...stay(6, MONDAY, 20, 75 + 49, { error: 200, class: 'medium' }),
    ...stay(7, MONDAY, 20, 0, { error: 1_000, class: 'low' }),
  ]);
  await createVisits(rig).find();
  expect(await short()).toEqual([`4 st_1 ${day(MONDAY)} 20`, `6 st_1 ${day(MONDAY)} 20`]);
});

test('of several stores the nearest is visited, and every geofence around it', async () => {
  await rig.store('st_a', LAT, LON, 100);
  await rig.store('st_b', LAT + 60 * METRE, LON, 100);
  await rig.things.put(
    'geofence',
    'gf_1',
    { advertiser: 'adv', name: 'mall', fence: { type: 'circle', lat: LAT, lon: LON, radius: 400 } },
    { actor: 'test' },
  );
  await putPings([...stay(1, MONDAY, 20, 25), ...stay(2, MONDAY, 20, 35), ...stay(3, MONDAY, 20, 300)]);
  await createVisits(rig).find();
  const on = day(MONDAY);
  expect(await short()).toEqual([`1 st_a ${on} 20`, `1 gf_1 ${on} 20`, `2 st_b ${on} 20`, `2 gf_1 ${on} 20`, `3 gf_1 ${on} 20`]);
});

test('a store is visited while it is open, or within a quarter of an hour of that, by its own clock', async () => {
  // 09:00 in Moscow is 06:00 UTC.
  await rig.store('st_1', LAT, LON, 75, {
    timeZone: 'Europe/Moscow',
    hours: { mon: [['09:00', '21:00']], sun: [['20:00', '00:00']] },
  });
  await putPings([
    ...stay(1, MONDAY + 5 * HOUR + 44 * MINUTE, 10, 0),
    ...stay(2, MONDAY + 5 * HOUR + 45 * MINUTE, 10, 0),
    ...stay(3, MONDAY + 18 * HOUR + 14 * MINUTE, 10, 0),
    ...stay(4, MONDAY + 18 * HOUR + 15 * MINUTE, 10, 0),
    // Sunday's last hour, and ten minutes into Monday by Moscow's clock.
    ...stay(5, MONDAY - 3 * HOUR - 30 * MINUTE, 10, 0),
    ...stay(6, MONDAY - 3 * HOUR + 10 * MINUTE, 10, 0),
    ...stay(7, MONDAY - 3 * HOUR + 20 * MINUTE, 10, 0),
  ]);
  await createVisits(rig).find();
  const [sunday, monday] = [day(MONDAY - DAY), day(MONDAY)];
  expect(await short()).toEqual([`2 st_1 ${monday} 10`, `3 st_1 ${monday} 10`, `5 st_1 ${sunday} 10`, `6 st_1 ${monday} 10`]);
});

test('several stays on a local day are one visit, a stay over midnight is of the day on which it began', async () => {
  await rig.store('st_1', LAT, LON, 75);
  await putPings([
    ...stay(1, MONDAY + 8 * HOUR, 10, 0),
    ...stay(1, MONDAY + 18 * HOUR, 20, 0),
    ...stay(1, MONDAY + DAY - 10 * MINUTE, 30, 0),
  ]);
  await createVisits(rig).find();
  expect(await short()).toEqual([`1 st_1 ${day(MONDAY)} 60`]);
});

test('a late ping that takes a visit back cancels it', async () => {
  await rig.store('st_1', LAT, LON, 75);
  const found = createVisits(rig);
  await putPings([
    { device: 1, at: MONDAY, north: 0 },
    { device: 1, at: MONDAY + 4 * MINUTE, north: 0 },
  ]);
  await found.find();
  expect(await visits()).toHaveLength(1);
  rig.pass(HOUR);
  await putPings([{ device: 1, at: MONDAY + 2 * MINUTE, north: 5_000 }]);
  expect(await found.find()).toMatchObject({ written: 0, cancelled: 1 });
  expect(await visits()).toEqual([]);
});

test('a store that is made, moved or deleted changes the visits of the past', async () => {
  const found = createVisits(rig);
  await putPings(stay(1, MONDAY, 20, 1_000));
  await found.find();
  rig.pass(HOUR);
  expect(await visits()).toEqual([]);
  await rig.store('st_1', LAT + 1_000 * METRE, LON);
  await found.find();
  expect(await short()).toEqual([`1 st_1 ${day(MONDAY)} 20`]);
  rig.pass(HOUR);
  await rig.store('st_2', LAT + 1_010 * METRE, LON);
  await rig.store('st_1', LAT + 5_000 * METRE, LON);
  await found.find();
  expect(await short()).toEqual([`1 st_2 ${day(MONDAY)} 20`]);
  rig.pass(HOUR);
  await rig.things.remove('store', 'st_2', { actor: 'test' });
  await found.find();
  expect(await visits()).toEqual([]);
});

test('a visit outlives its pings', async () => {
  await rig.store('st_1', LAT, LON);
  const found = createVisits(rig);
  await putPings(stay(1, MONDAY, 20, 0));
  await found.find();
  rig.pass(HOUR);
  // Retention took the pings; a late one and a change of the place make the device be looked at again.
  await rig.warehouse.command({ sql: 'TRUNCATE TABLE pings' });
  await putPings([{ device: 1, at: MONDAY + HOUR, north: 3_000 }]);
  await rig.store('st_1', LAT, LON, 80);
  await found.find();
  expect(await short()).toEqual([`1 st_1 ${day(MONDAY)} 20`]);
});

test('a stop between two parts loses nothing', async () => {
  await rig.store('st_1', LAT, LON);
  await putPings(stay(1, MONDAY, 20, 0));
  const found = createVisits(rig);
  const stop = async (): Promise<void> => {
    throw new Error('stopping');
  };
  await expect(found.find(stop)).rejects.toThrow('stopping');
  await found.find();
  expect(await visits()).toHaveLength(1);
});

/** Days of a device: walks between places, with stays, silences, long unbroken traces and vague pings. */
function randomTrace(random: Random, device: number): PingRow[] {
  const pings: PingRow[] = [];
  let at = MONDAY + int(random, 0, 2 * DAY);
  let north = 0;
  for (let n = int(random, 5, 120); n > 0; n--) {
    const roll = random();
    if (roll < 0.2) north = int(random, -8, 8) * 60;
    at += roll < 0.85 ? int(random, 20, 400) * 1000 : roll < 0.97 ? int(random, 10, 60) * MINUTE : int(random, 5, 30) * HOUR;
    const trust = random() < 0.1 ? 'low' : random() < 0.2 ? 'medium' : 'high';
    pings.push({ device, at, north: north + random() * 30, east: random() * 30, error: int(random, 5, 60), class: trust });
  }
  return pings;
}

test('bit by bit gives the same visits as all at once, with late, repeated and out-of-order pings', {
  timeout: 120_000,
}, async () => {
  const random = seeded(33);
  await rig.store('st_1', LAT, LON, 75, {
    hours: { mon: [['08:00', '20:00']], tue: [['08:00', '02:00']], wed: [['00:00', '24:00']] },
  });
  await rig.store('st_2', LAT + 200 * METRE, LON, 60, { timeZone: 'Pacific/Kiritimati' });
  await rig.store('st_3', LAT - 240 * METRE, LON, 60, { timeZone: 'America/Los_Angeles' });
  await rig.things.put(
    'geofence',
    'gf_1',
    { advertiser: 'adv', name: 'f', fence: { type: 'circle', lat: LAT + 100 * METRE, lon: LON, radius: 150 } },
    { actor: 'test' },
  );
  const all = Array.from({ length: 40 }, (_, n) => randomTrace(random, n + 1)).flat();
  // One that is never silent, so that its stretch is longer than any window around new pings.
  for (let n = 0; n < 3_000; n++)
    all.push({ device: 99, at: MONDAY + n * 4 * MINUTE, north: Math.floor(n / 20) % 5 === 0 ? 0 : 900 });
  const order = all.map((ping) => ({ ping, rank: ping.at / DAY + (random() < 0.15 ? random() * 12 : random() * 0.3) }));
  const arriving = order.sort((a, b) => a.rank - b.rank).map(({ ping }) => ping);
  const processes = [createVisits(rig), createVisits(rig)];
  for (let from = 0; from < arriving.length; ) {
    const portion = int(random, 1, 500);
    const pings = arriving.slice(from, from + portion);
    // Some are said again, better or worse known.
    const corrected = pings
      .filter(() => random() < 0.03)
      .map((ping) => ({ ...ping, class: pick(random, ['low', 'high'] as const) }));
    await putPings(pings);
    rig.pass(1);
    await putPings(corrected);
    from += portion;
    rig.pass(10 * MINUTE);
    await processes[int(random, 0, 1)]?.find();
  }
  const bitByBit = await visits();
  await rig.warehouse.command({ sql: 'TRUNCATE TABLE visits' });
  await rig.redis.flushall();
  await createVisits(rig).find();
  const atOnce = await visits();
  expect(atOnce.length).toBeGreaterThan(100);
  expect(bitByBit).toEqual(atOnce);
});
