import { cellOf, cellToUInt64 } from '../../proto/fence.ts';
import { type Rig, uuid } from './rig.ts';

/** Numbers that look drawn and are the same in every run. */
export function drawer(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const DAY_MS = 86_400_000;
const PEOPLE = 16;
const DEPARTMENTS = ['', 'dairy', 'bread'];
const STORES = ['', 'st_1', 'st_2'];
const SOURCES = ['till', 'shop'];

/** Random rows in the raw tables, and random changes of them, as ingest and identity make them. */
export interface World {
  /** A few changes, each at a time of its own. */
  change(): Promise<void>;
  /** Somebody who is known, and who is not any more: the identifiers that were theirs. */
  erase(): readonly string[];
  /** What was done, for a failing test. */
  readonly log: readonly string[];
}

export function createWorld(rig: Rig, seed: number): World {
  const draw = drawer(seed);
  const log: string[] = [];
  const receipts: Record<string, unknown>[] = [];
  const visits: Record<string, unknown>[] = [];
  let receipt = 0;
  let version = 1;
  /** Of each identifier its profile, device and household. */
  const owners = new Map<number, { profile: number; device: number; household: number }>();
  const pick = <T>(values: readonly T[]): T => values[draw(values.length)] as T;
  const iso = (ms: number): string => new Date(ms).toISOString();
  const someone = (): string => uuid(1 + draw(PEOPLE));
  const past = (): string => iso(rig.now() - draw(60) * DAY_MS - draw(DAY_MS));
  const ingested = (): string => iso(rig.now());

  const identities = async (numbers: readonly number[]): Promise<void> => {
    version++;
    const rows = numbers.map((n) => ({ identifier: uuid(n), kind: 'ifa', anchor: uuid(n), version, ...owners.get(n) }));
    await rig.warehouse.insert('identities', rows);
  };
  const buy = async (): Promise<void> => {
    const identifier = someone();
    receipt++;
    const source = pick(SOURCES);
    const at = past();
    const store = pick(STORES);
    const rows = Array.from({ length: 1 + draw(3) }, (_, line) => ({
      ...{ source, receipt: `r${receipt}`, line: String(line), at, identifier, store, product: `p${draw(4)}` },
      ...{ category: '', department: pick(DEPARTMENTS), brand: '', quantity: '1', amount: draw(100) * 10_000, currency: 'USD' },
      ...{ ingested: ingested(), deleted: 0 },
    }));
    receipts.push(...rows);
    await rig.warehouse.insert('purchases', rows);
  };
  const again = async (change: Record<string, unknown>): Promise<void> => {
    if (receipts.length === 0) return;
    const line = pick(receipts);
    Object.assign(line, change, { ingested: ingested() });
    await rig.warehouse.insert('purchases', [line]);
  };
  const visit = async (): Promise<void> => {
    const start = past();
    const row = {
      ...{ identifier: someone(), kind: 'store', place: pick(['st_1', 'st_2']), day: start.slice(0, 10), start, end: start },
      ...{ dwell: draw(3_000), pings: 3, cancelled: 0, version: rig.now(), sources: [pick(SOURCES)] },
    };
    visits.push(row);
    await rig.warehouse.insert('visits', [row]);
  };

  const meet = async (): Promise<void> => {
    const n = 1 + draw(PEOPLE);
    if (owners.has(n)) return;
    owners.set(n, { profile: n, device: n, household: n });
    await identities([n]);
  };

  const changes: Record<string, () => Promise<void>> = {
    buy,
    'buy more': buy,
    'send again': () => again({ amount: draw(100) * 10_000 }),
    'send again for somebody else': () => again({ identifier: someone() }),
    'take a line back': () => again({ deleted: 1 }),
    refund: () => again({ amount: -draw(50) * 10_000 }),
    visit,
    'cancel a visit': async () => {
      if (visits.length === 0) return;
      await rig.warehouse.insert('visits', [{ ...pick(visits), cancelled: 1, version: rig.now() }]);
    },
    page: () =>
      rig.warehouse.insert('pages', [
        {
          source: 'web',
          id: `${draw(1e6)}`,
          identifier: someone(),
          at: past(),
          url: 'https://x.example/',
          title: '',
          ingested: ingested(),
        },
      ]),
    redeem: () =>
      rig.warehouse.insert('redemptions', [
        {
          source: 'till',
          id: `${draw(1e6)}`,
          identifier: someone(),
          at: past(),
          coupon: 'c',
          promotion: 'p',
          ingested: ingested(),
        },
      ]),
    act: () =>
      rig.warehouse.insert('actions', [
        {
          source: 'app',
          id: `${draw(1e6)}`,
          identifier: someone(),
          at: past(),
          name: 'opened',
          store: pick(STORES),
          ingested: ingested(),
        },
      ]),
    say: () =>
      rig.warehouse.insert('attributes', [
        {
          source: pick(SOURCES),
          identifier: someone(),
          name: 'age',
          text: `${draw(90)}`,
          number: draw(90),
          at: past(),
          ingested: ingested(),
        },
      ]),
    see: () =>
      rig.warehouse.insert('ad_events', [
        {
          ...{
            type: pick(['impression', 'click']),
            bid: `b${draw(50)}`,
            bid_at: iso(0),
            at: past(),
            campaign: 'c',
            line_item: 'li',
          },
          ...{ identifier: someone(), anchor: uuid(1), test: draw(8) === 0 ? 1 : 0, ingested: ingested() },
        },
      ]),
    walk: async () => {
      const [lat, lon] = [60.17 + draw(50) / 1000, 24.94 + draw(50) / 1000];
      const row = { source: pick(SOURCES), identifier: someone(), lat, lon, error: 5, class: pick(['high', 'low']) };
      await rig.warehouse.insert('pings', [{ ...row, at: past(), cell: cellToUInt64(cellOf(lat, lon)), ingested: ingested() }]);
    },
    catalogue: () =>
      rig.warehouse.insert('products', [
        {
          source: pick(SOURCES),
          product: `p${draw(4)}`,
          department: pick(DEPARTMENTS),
          brand: `b${draw(3)}`,
          ingested: ingested(),
          deleted: draw(4) === 0 ? 1 : 0,
        },
      ]),
    'move a store': () =>
      rig.store(pick(['st_1', 'st_2']), 60 + draw(10), 24, 75, { timeZone: pick(['UTC', 'Europe/Moscow', 'America/New_York']) }),
    'somebody new': meet,
    'somebody else new': meet,
    merge: async () => {
      const known = [...owners.keys()];
      if (known.length < 2) return;
      const [a, b] = [pick(known), pick(known)];
      const [from, to] = [owners.get(a), owners.get(b)].map((owner) => owner?.profile as number).sort((x, y) => y - x) as [
        number,
        number,
      ];
      if (from === to) return;
      const moved = known.filter((n) => owners.get(n)?.profile === from);
      // A person is of one household.
      const { household } = [...owners.values()].find(({ profile }) => profile === to) as { household: number };
      for (const n of moved) owners.set(n, { profile: to, device: n, household });
      await identities(moved);
    },
    'part again': async () => {
      const known = [...owners.keys()];
      if (known.length === 0) return;
      const n = pick(known);
      owners.set(n, { profile: n, device: n, household: n });
      await identities([n]);
    },
    household: async () => {
      const known = [...owners.keys()];
      if (known.length < 2) return;
      const [a, b] = [pick(known), pick(known)];
      const moved = known.filter((n) => owners.get(n)?.profile === owners.get(a)?.profile);
      const { household } = owners.get(b) as { household: number };
      for (const n of moved) owners.set(n, { ...(owners.get(n) as { profile: number; device: number }), household });
      await identities(moved);
    },
  };

  return {
    log,
    erase: () => {
      const known = [...owners.keys()];
      if (known.length < 4) return [];
      const profile = owners.get(pick(known))?.profile;
      const theirs = known.filter((n) => owners.get(n)?.profile === profile);
      for (const n of theirs) owners.delete(n);
      log.push(`erase ${theirs.join(' ')}`);
      return theirs.map(uuid);
    },
    change: async () => {
      const name = pick(Object.keys(changes));
      log.push(name);
      // Sometimes several within a millisecond.
      if (draw(3) > 0) rig.pass(1 + draw(draw(5) === 0 ? DAY_MS : 5_000));
      await (changes[name] as () => Promise<void>)();
    },
  };
}

/** All facts, as text, in an order of their own. */
export async function allFacts(rig: Rig): Promise<string[]> {
  const rows = await rig.warehouse.query<Record<string, unknown>>({
    sql: 'SELECT * FROM facts ORDER BY shard, profile, kind, id, revision',
  });
  return rows.map((row) => JSON.stringify(row));
}
