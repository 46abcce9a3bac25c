import { createServer, type Server } from 'node:net';
import type { Ports } from './config.ts';
import { portHolder } from './port-holder.ts';
import { StartError } from './start-error.ts';

export const PORT_OF: Readonly<Record<keyof Ports, string>> = {
  bidder: 'the bidder',
  api: 'the admin API',
  pages: 'the lookups of pages',
  bidderMetrics: "the bidder's metrics",
  apiMetrics: "the admin API's metrics",
  segmenterMetrics: "the segmenter's metrics",
  pagesMetrics: "the lookups' metrics",
};

/**
 * Checks that all ports are free and picks one for each 0. Each is really bound, and held until the last is known, so that no two
 * get the same. Throws StartError that names every taken port and its owner.
 */
export async function claimPorts(wanted: Partial<Ports>, host: string): Promise<Partial<Ports>> {
  const held: Server[] = [];
  const faults: string[] = [];
  const claimed: { -readonly [Name in keyof Ports]?: number } = {};
  try {
    for (const [name, port] of Object.entries(wanted) as [keyof Ports, number][]) {
      const twin = (Object.keys(claimed) as (keyof Ports)[]).find((other) => claimed[other] === port);
      if (twin !== undefined) {
        faults.push(`port ${port} of ${PORT_OF[name]} is also the port of ${PORT_OF[twin]}`);
        continue;
      }
      try {
        const server = await listen(port, host);
        held.push(server);
        claimed[name] = (server.address() as { port: number }).port;
      } catch (error) {
        faults.push(await faultOf(port, PORT_OF[name], error as NodeJS.ErrnoException));
      }
    }
  } finally {
    await Promise.all(held.map((server) => new Promise((closed) => server.close(closed))));
  }
  if (faults.length > 0) throw new StartError(faults.join('\n'));
  return claimed;
}

function listen(port: number, host: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => resolve(server));
  });
}

async function faultOf(port: number, owner: string, error: NodeJS.ErrnoException): Promise<string> {
  if (error.code !== 'EADDRINUSE') return `port ${port} of ${owner} cannot be opened: ${error.message}`;
  const holder = await portHolder(port);
  return `port ${port} of ${owner} is taken by ${holder ?? 'another process'}`;
}
