import { createServer, type Server } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { claimPorts } from '../../supervisor/ports.ts';

async function listening(): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
}

test('a port of 0 becomes a free one, and no two are the same', async () => {
  const ports = await claimPorts({ bidder: 0, api: 0, bidderMetrics: 0, apiMetrics: 0 }, '127.0.0.1');
  const numbers = Object.values(ports);
  expect(numbers.every((port) => port > 1023)).toBe(true);
  expect(new Set(numbers).size).toBe(4);
});

test('taken ports are said by name, all at once, with the process that holds them', async () => {
  const [one, other] = [await listening(), await listening()];
  await expect(claimPorts({ bidder: other, api: one, apiMetrics: 0 }, '127.0.0.1')).rejects.toThrow(
    `port ${other} of the bidder is taken by process ${process.pid} (node)\nport ${one} of the admin API is taken by process ${process.pid} (node)`,
  );
});

test('the same port for two purposes is refused by both names', async () => {
  const free = await claimPorts({ api: 0 }, '127.0.0.1');
  const port = free.api ?? 0;
  await expect(claimPorts({ bidder: port, api: port }, '127.0.0.1')).rejects.toThrow(
    `port ${port} of the admin API is also the port of the bidder`,
  );
});

test('claimed ports are free again for the processes', async () => {
  const { api = 0 } = await claimPorts({ api: 0 }, '127.0.0.1');
  expect(await claimPorts({ api }, '127.0.0.1')).toEqual({ api });
});
