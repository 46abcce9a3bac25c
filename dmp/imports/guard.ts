import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDoor, type Door } from './door.ts';
import type { Address } from './import.ts';

/** Where the guard listens, and where ClickHouse finds it. */
export interface GuardPlace {
  readonly host: string;
  /** Its port is listened on; null: any free one of this machine, for a ClickHouse on it. */
  readonly url: string | null;
}

/**
 * What ClickHouse's reader of S3 is let through: it looks to it like a store of one object, and asks for that object itself, so that
 * the reader never looks up a name, follows a redirect or knows a key of somebody else's. It listens from the first object on.
 */
export interface Guard {
  /** A door to the object of an address for one job. */
  admit(address: Address, allowInside: boolean, now: () => number): Promise<Door>;
  close(): Promise<void>;
}

export const HERE: GuardPlace = { host: '127.0.0.1', url: null };

export function createGuard({ host, url }: GuardPlace): Guard {
  const doors = new Map<string, Door>();
  let opening: Promise<Server> | null = null;
  const open = async (): Promise<Server> => {
    const server = createServer((request, response) => void serve(doors, request, response));
    const given = url === null ? null : new URL(url);
    server.listen(given === null ? 0 : Number(given.port || 80), given === null ? HERE.host : host);
    await once(server, 'listening');
    return server.unref();
  };
  return {
    admit: async (address, allowInside, now) => {
      opening ??= open();
      const server = await opening.catch((error: unknown) => {
        opening = null;
        throw error;
      });
      const base = url?.replace(/\/$/, '') ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const door = createDoor(base, address, { allowInside, now }, () => doors.delete(door.name));
      doors.set(door.name, door);
      return door;
    },
    close: async () => {
      const server = await opening?.catch(() => null);
      opening = null;
      server?.close();
      server?.closeAllConnections();
    },
  };
}

async function serve(doors: ReadonlyMap<string, Door>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, name = '', object = ''] = (request.url ?? '').split('?')[0]?.split('/') ?? [];
  const door = doors.get(name);
  if (door === undefined || (request.method !== 'GET' && request.method !== 'HEAD'))
    return void response.writeHead(403, { 'content-length': 0 }).end();
  await door.serve(object, request, response);
}
