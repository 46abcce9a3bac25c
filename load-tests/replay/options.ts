import { resolve } from 'node:path';
import { Command } from 'commander';
import { ReplayError } from './say.ts';

/** A Walkin that runs already. */
export interface Target {
  /** Base addresses without a slash at the end. */
  readonly api: string;
  readonly bidder: string;
  /** Where the reasons of the no-bids are counted; null: they stay unknown. */
  readonly bidderMetrics: string | null;
  readonly key: string;
}

export interface Options {
  readonly folder: string;
  /** Null: start one of our own. */
  readonly target: Target | null;
}

export function readOptions(args: readonly string[]): Options {
  const command = new Command('npm run replay --')
    .description(
      'Replays real purchases and bid requests against Walkin; without addresses it starts one of its own and removes it after.',
    )
    .argument('<folder>', 'folder with completejourney/ and openrtb/valid, openrtb/invalid')
    .option('--api <url>', 'admin API of a running Walkin')
    .option('--bidder <url>', 'its bidder')
    .option('--bidder-metrics <url>', 'its bidder’s metrics, where the reasons of no-bids are counted')
    .option('--key <key>', 'an API key with the scope admin')
    .parse([...args], { from: 'user' });
  const given = command.opts<{ api?: string; bidder?: string; bidderMetrics?: string; key?: string }>();
  const folder = resolve(command.args[0] as string);
  const { api, bidder, key, bidderMetrics } = given;
  if (api === undefined && bidder === undefined && key === undefined) return { folder, target: null };
  if (api === undefined || bidder === undefined || key === undefined) {
    throw new ReplayError('--api, --bidder and --key go together.');
  }
  const metrics = bidderMetrics === undefined ? null : trimmed(bidderMetrics);
  return { folder, target: { api: trimmed(api), bidder: trimmed(bidder), bidderMetrics: metrics, key } };
}

const trimmed = (url: string) => url.replace(/\/+$/, '');
