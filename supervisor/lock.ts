import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processIdentity } from './process-identity.ts';
import { StartError } from './start-error.ts';

const FILE = 'lock';

export interface LockOwner {
  readonly pid: number;
  readonly identity: string;
  /** RFC 3339. */
  readonly since: string;
}

/** One supervisor a data folder. Throws StartError that says whose the folder is; a lock whose process is gone is taken over. */
export function lockDataFolder(folder: string, now: Date): { release(): void } {
  const file = join(folder, FILE);
  const mine = JSON.stringify({ pid: process.pid, identity: processIdentity(process.pid), since: now.toISOString() });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, mine);
  try {
    while (!tryLink(draft, file)) {
      const owner = lockOwner(folder);
      if (owner !== null) {
        throw new StartError(`the data folder ${folder} is in use by Walkin process ${owner.pid}, running since ${owner.since}`);
      }
      setAside(file, `${draft}.stale`);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  return {
    release: () => {
      if (textOf(file) === mine) rmSync(file, { force: true });
    },
  };
}

/** The running owner, or null where the folder is free. */
export function lockOwner(folder: string): LockOwner | null {
  return ownerIn(join(folder, FILE));
}

function ownerIn(file: string): LockOwner | null {
  try {
    const owner = JSON.parse(readFileSync(file, 'utf8')) as LockOwner;
    return processIdentity(owner.pid) === owner.identity ? owner : null;
  } catch {
    return null;
  }
}

/** A link appears with its content or not at all: no other process can read half a lock. */
function tryLink(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Takes a dead owner's lock away; if another start was quicker and the lock is alive by now, it is put back. */
function setAside(file: string, aside: string): void {
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (ownerIn(aside) !== null) tryLink(aside, file);
  rmSync(aside, { force: true });
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
