import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const LISTENING = '0A';

/** Who listens on a TCP port, as well as the system lets us know: `process 123 (node)`, or null. */
export async function portHolder(port: number): Promise<string | null> {
  const pid = process.platform === 'linux' ? await holderFromProc(port) : await holderFromLsof(port);
  if (pid === null) return null;
  const name = await nameOf(pid);
  return name === null ? `process ${pid}` : `process ${pid} (${name})`;
}

async function holderFromProc(port: number): Promise<number | null> {
  const sockets = new Set((await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map((file) => socketsIn(file, port)))).flat());
  if (sockets.size === 0) return null;
  for (const entry of await readdir('/proc')) {
    if (/^\d+$/.test(entry) && (await holdsOneOf(entry, sockets))) return Number(entry);
  }
  return null;
}

/** Inodes of the listening sockets: column 1 is `address:port` in hex, 3 the state, 9 the inode. */
async function socketsIn(file: string, port: number): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(`:${hex}`) && columns[3] === LISTENING)
    .map((columns) => `socket:[${columns[9]}]`);
}

async function holdsOneOf(pid: string, sockets: ReadonlySet<string>): Promise<boolean> {
  const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
  for (const file of files) {
    const target = await readlink(`/proc/${pid}/fd/${file}`).catch(() => '');
    if (sockets.has(target)) return true;
  }
  return false;
}

async function holderFromLsof(port: number): Promise<number | null> {
  const { stdout } = await execute('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-t']).catch(() => ({ stdout: '' }));
  const pid = Number(stdout.trim().split('\n')[0]);
  return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
}

async function nameOf(pid: number): Promise<string | null> {
  if (process.platform === 'linux') return nameFromProc(pid);
  const { stdout } = await execute('ps', ['-o', 'comm=', '-p', String(pid)]).catch(() => ({ stdout: '' }));
  return stdout.trim() || null;
}

/** The command as it was called: since Node.js 24 `comm` names the thread, not the program. */
async function nameFromProc(pid: number): Promise<string | null> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return basename(command.split(/[\0 ]/)[0] ?? '') || null;
}
