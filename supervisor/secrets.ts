import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { MOST_PEPPERS } from '../proto/pepper.ts';
import { StartError } from './start-error.ts';

const Secrets = Type.Object({
  /** Under which identifiers are keyed: without it no profile is found again. */
  pepper: Type.String({ minLength: 16 }),
  /** Peppers of before that are still honoured, the newest first. */
  oldPeppers: Type.Optional(Type.Array(Type.String({ pattern: '^\\S{16,}$' }))),
  /** Signs the addresses of notices. */
  noticeSecret: Type.String({ minLength: 16 }),
  /** `wk_<id>_<secret>`. */
  adminKey: Type.String({ pattern: '^wk_[A-Za-z0-9-]+_[A-Za-z0-9]+$' }),
});

export type Secrets = Static<typeof Secrets>;

export const secretsFile = (folder: string): string => join(folder, 'secrets.json');

/** Reads the data folder's secrets, or makes them at the first start. Never replaces one that cannot be read. */
export function openSecrets(folder: string): Secrets {
  const file = secretsFile(folder);
  if (!existsSync(file)) writeOnce(file, createSecrets());
  // Somebody may have copied the folder without its modes.
  chmodSync(file, 0o600);
  const secrets = parse(readFileSync(file, 'utf8'));
  if (secrets === null) {
    throw new StartError(`${file} is damaged: bring it back from a backup, since the data cannot be used without its secrets`);
  }
  return secrets;
}

function createSecrets(): Secrets {
  const secret = (): string => randomBytes(32).toString('hex');
  return { pepper: secret(), noticeSecret: secret(), adminKey: `wk_admin_${secret()}` };
}

/** Replaces the pepper; the one of before is honoured until it is retired. `npm run pepper`. */
export function rotatePepper(folder: string): Secrets {
  const secrets = openSecrets(folder);
  const older = [secrets.pepper, ...(secrets.oldPeppers ?? [])];
  if (older.length >= MOST_PEPPERS)
    throw new StartError(
      `${older.length} peppers are honoured already: retire the oldest with \`npm run pepper -- retire\` first`,
    );
  if (/\s/.test(secrets.pepper)) throw new StartError('a pepper with spaces in it cannot be honoured beside another');
  const next = { ...secrets, pepper: randomBytes(32).toString('hex'), oldPeppers: older };
  writeOnce(secretsFile(folder), next);
  return next;
}

/** Forgets the oldest pepper. */
export function retirePepper(folder: string): Secrets {
  const secrets = openSecrets(folder);
  const older = secrets.oldPeppers ?? [];
  if (older.length === 0) throw new StartError('no old pepper is honoured');
  const next = { ...secrets, oldPeppers: older.slice(0, -1) };
  writeOnce(secretsFile(folder), next);
  return next;
}

/** Whole or not at all, also after a power cut. */
function writeOnce(file: string, secrets: Secrets): void {
  const draft = `${file}.${process.pid}`;
  const handle = openSync(draft, 'w', 0o600);
  writeSync(handle, `${JSON.stringify(secrets, null, 2)}\n`);
  fsyncSync(handle);
  closeSync(handle);
  renameSync(draft, file);
}

function parse(text: string): Secrets | null {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(Secrets, value) ? value : null;
  } catch {
    return null;
  }
}
