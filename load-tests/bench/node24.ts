import { execFileSync } from 'node:child_process';
import { compareWithFloor } from './bid.ts';
import type { Options } from './options.ts';
import type { Rig } from './rig.ts';
import { say } from './say.ts';

/** `bid` with the bidder on Node 24 (WALKIN_NODE24, or `node24` in the PATH); the bare server stays on this Node. */
export async function benchNode24(rig: Rig, options: Options): Promise<object> {
  const node = options.env['WALKIN_NODE24'] ?? 'node24';
  const version = versionOf(node);
  if (!version?.startsWith('v24.')) {
    const skipped = `there is no Node 24 at ${node}${version === null ? '' : ` (it is ${version})`}: set WALKIN_NODE24`;
    say(`Skipped: ${skipped}`);
    return { skipped };
  }
  return compareWithFloor(rig, options, { node });
}

function versionOf(node: string): string | null {
  try {
    return execFileSync(node, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return null;
  }
}
