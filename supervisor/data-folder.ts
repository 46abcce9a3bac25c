import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StartError } from './start-error.ts';

/** Its presence says that the folder is Walkin's, and so may be deleted by `npm run reset`. */
const MARKER = 'walkin-data';
const NOT_CONTENT = new Set(['lost+found', '.DS_Store']);

/** Makes the data folder, readable by its owner only. Refuses a folder that holds somebody else's files. */
export function openDataFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (isDataFolder(folder)) return;
    const strangers = readdirSync(folder).filter((name) => !NOT_CONTENT.has(name));
    if (strangers.length > 0) {
      throw new StartError(
        `${folder} holds files that Walkin did not make (${strangers.slice(0, 3).join(', ')}): choose another folder with --data`,
      );
    }
    writeFileSync(join(folder, MARKER), 'Data of Walkin. `npm run reset` deletes this folder.\n');
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`the data folder ${folder} cannot be used: ${(error as Error).message}`);
  }
}

export function isDataFolder(folder: string): boolean {
  return existsSync(join(folder, MARKER));
}
