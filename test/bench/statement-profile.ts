import type { Warehouse } from '../../dmp/clickhouse/warehouse.ts';

interface Taken {
  times: number;
  seconds: number;
  /** Of all threads of the process, merges in the background too: true of statements that run one after the other. */
  cpu: number;
}

/** A warehouse that knows what its statements took, by their beginning. `report` says it, and forgets it. */
export function profiled(warehouse: Warehouse): { readonly warehouse: Warehouse; readonly report: () => string[] } {
  const taken = new Map<string, Taken>();
  let since = process.cpuUsage();
  const timed = async <T>(sql: string, work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const start = process.cpuUsage();
    try {
      return await work();
    } finally {
      const { user, system } = process.cpuUsage(start);
      const kinds = /kind IN \(([^)]*)\)/.exec(sql)?.[1] ?? '';
      const name = `${sql.replace(/\s+/g, ' ').slice(0, 60)} ${kinds}${sql.includes('GROUP BY shard, unit') ? ' by unit' : ''}`;
      const known = taken.get(name) ?? { times: 0, seconds: 0, cpu: 0 };
      taken.set(name, {
        times: known.times + 1,
        seconds: known.seconds + (performance.now() - began) / 1000,
        cpu: known.cpu + (user + system) / 1e6,
      });
    }
  };
  return {
    warehouse: {
      ...warehouse,
      query: (statement, limits) => timed(statement.sql, () => warehouse.query(statement, limits)),
      command: (statement, limits) => timed(statement.sql, () => warehouse.command(statement, limits)),
      insert: (table, rows, token) => timed(`rows into ${table}`, () => warehouse.insert(table, rows, token)),
    },
    report: () => {
      const { user, system } = process.cpuUsage(since);
      const all = [...taken].sort(([, a], [, b]) => b.seconds - a.seconds);
      const sum = all.reduce((total, [, { seconds }]) => total + seconds, 0);
      const lines = all
        .slice(0, 20)
        .map(
          ([name, { times, seconds, cpu }]) =>
            `  ${seconds.toFixed(2).padStart(7)} s ${cpu.toFixed(1).padStart(6)} s of the processor ${String(times).padStart(4)} times: ${name}`,
        );
      lines.push(
        `  ${sum.toFixed(2).padStart(7)} s in statements; ${((user + system) / 1e6).toFixed(1)} s of the processor since the last`,
      );
      taken.clear();
      since = process.cpuUsage();
      return lines;
    },
  };
}
