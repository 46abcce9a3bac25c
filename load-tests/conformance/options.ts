import { resolve } from 'node:path';
import { Command } from 'commander';

export interface Options {
  readonly folder: string;
  readonly protobuf: boolean;
  readonly gzip: boolean;
  /** The exchange's address at a running bidder; null: start a Walkin of our own. */
  readonly address: string | null;
  /** Base of its notice addresses. */
  readonly noticeBase: string;
}

export function readOptions(args: readonly string[]): Options {
  const command = new Command('npm run conformance --')
    .description(
      'Sends every bid request of a folder (*.json, *.txt; *.bin as protobuf) to a bidder and judges the answers; without an address it starts one that always wants to bid.',
    )
    .argument('<folder>', 'folder of requests; files that a manifest.json calls fatal must not be bid on')
    .option('--protobuf', 'send them as protobuf too, and compare the decisions')
    .option('--gzip', 'send them compressed too, and compare the decisions')
    .option('--bidder <url>', 'a running bidder')
    .option('--exchange <id>', 'exchange to send them as there')
    .option('--token <token>', 'token of its address')
    .option('--notices <url>', 'base of its notice addresses (default: as --bidder)')
    .parse([...args], { from: 'user' });
  const given = command.opts<{
    protobuf?: true;
    gzip?: true;
    bidder?: string;
    exchange?: string;
    token?: string;
    notices?: string;
  }>();
  if ((given.bidder === undefined) !== (given.exchange === undefined)) command.error('--bidder and --exchange go together');
  const bidder = trimmed(given.bidder ?? '');
  const token = given.token === undefined ? '' : `?token=${encodeURIComponent(given.token)}`;
  return {
    folder: resolve(command.args[0] as string),
    protobuf: given.protobuf ?? false,
    gzip: given.gzip ?? false,
    address: given.bidder === undefined ? null : `${bidder}/openrtb2/${given.exchange}${token}`,
    noticeBase: trimmed(given.notices ?? bidder),
  };
}

export const trimmed = (url: string): string => url.replace(/\/+$/, '');
