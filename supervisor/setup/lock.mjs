import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

// Long enough for a process to write its number after it made the folder.
const UNSIGNED_MS = 2000;

/**
 * One set-up at a time in a clone: a second one waits, then finds all done. A lock whose process is gone is taken over.
 * @param {string} folder
 * @param {import('./progress.mjs').Progress} progress
 * @param {() => Promise<void>} work
 */
export async function withSetupLock(folder, progress, work) {
  await take(folder, progress);
  const release = () => rmSync(folder, { recursive: true, force: true });
  const stopped = (/** @type {NodeJS.Signals} */ signal) => {
    release();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  process.once('SIGINT', stopped);
  process.once('SIGTERM', stopped);
  try {
    await work();
  } finally {
    release();
  }
}

/**
 * @param {string} folder
 * @param {import('./progress.mjs').Progress} progress
 */
async function take(folder, progress) {
  let said = false;
  let unsignedSince = 0;
  for (;;) {
    if (tryTake(folder)) return;
    const owner = ownerOf(folder);
    if (owner === null) {
      unsignedSince ||= Date.now();
      if (Date.now() - unsignedSince > UNSIGNED_MS) remove(folder);
    } else {
      unsignedSince = 0;
      if (!isAlive(owner)) remove(folder);
      else if (!said) progress.note(`another set-up of this folder runs (process ${owner}); waiting for it`);
      said = true;
    }
    await sleep(100);
  }
}

/** @param {string} folder */
function tryTake(folder) {
  try {
    mkdirSync(folder);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  }
  writeFileSync(join(folder, 'pid'), String(process.pid));
  return true;
}

/** @param {string} folder */
function ownerOf(folder) {
  try {
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/**
 * Renamed first: of two that see the same dead owner only one can rename.
 * @param {string} folder
 */
function remove(folder) {
  const aside = `${folder}.${process.pid}`;
  try {
    renameSync(folder, aside);
  } catch {
    return;
  }
  rmSync(aside, { recursive: true, force: true });
}
