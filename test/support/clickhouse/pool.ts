import type { Connection, Engine } from './engine.ts';
import { Refusal } from './refusal.ts';

/** What a statement runs under. */
export interface Surroundings {
  readonly database: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Of an HTTP session, whose temporary tables outlive the statement; null: none. */
  readonly session: { readonly id: string; readonly seconds: number } | null;
}

export interface Pool {
  /** Runs `work` on a connection that is set as a server would set it for this one statement. */
  use<T>(surroundings: Surroundings, work: (connection: Connection) => Promise<T>): Promise<T>;
}

/** A connection keeps what it was set to; a server forgets it with the statement. */
class Seat {
  connection: Connection;
  settings: Readonly<Record<string, string>> = {};
  isTaken = false;
  timer: NodeJS.Timeout | undefined;
  constructor(connection: Connection) {
    this.connection = connection;
  }
}

export function createPool(engine: Engine, size: number): Pool {
  const seats = Array.from({ length: size }, () => new Seat(engine.open()));
  const waiting: ((seat: Seat) => void)[] = [];
  const sessions = new Map<string, Seat>();

  const free = (): Promise<Seat> | Seat => {
    const seat = seats.find(({ isTaken }) => !isTaken);
    if (seat === undefined) return new Promise((resolve) => waiting.push(resolve));
    seat.isTaken = true;
    return seat;
  };
  const leave = (seat: Seat): void => {
    const next = waiting.shift();
    if (next === undefined) seat.isTaken = false;
    else next(seat);
  };
  const own = (id: string): Seat => {
    const seat = sessions.get(id) ?? new Seat(engine.open());
    if (seat.isTaken) throw new Refusal(373, 'SESSION_IS_LOCKED', `Session ${id} is locked by a concurrent client`);
    clearTimeout(seat.timer);
    sessions.set(id, seat);
    seat.isTaken = true;
    return seat;
  };
  const rest = (id: string, seat: Seat, seconds: number): void => {
    seat.isTaken = false;
    seat.timer = setTimeout(() => {
      sessions.delete(id);
      seat.connection.close();
    }, seconds * 1_000).unref();
  };
  return {
    use: async ({ session, ...wanted }, work) => {
      const seat = session === null ? await free() : own(session.id);
      try {
        await setUp(seat, wanted);
        return await work(seat.connection);
      } finally {
        if (session === null) leave(seat);
        else rest(session.id, seat, session.seconds);
      }
    },
  };
}

async function setUp(seat: Seat, { database, settings }: Omit<Surroundings, 'session'>): Promise<void> {
  const changed = Object.entries(settings).filter(([name, value]) => seat.settings[name] !== value);
  const gone = Object.keys(seat.settings).filter((name) => settings[name] === undefined);
  const run = (sql: string): Promise<unknown> => seat.connection.run(sql, {}, 'Null');
  if (gone.length > 0) await run(`SET ${gone.map((name) => `${name} = DEFAULT`).join(', ')}`);
  if (changed.length > 0) await run(`SET ${changed.map(([name, value]) => `${name} = ${literal(value)}`).join(', ')}`);
  seat.settings = settings;
  // Also where it is the same: it may have been dropped and made again meanwhile.
  await run(`USE ${identifier(database)}`);
}

const literal = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
const identifier = (name: string): string => `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
