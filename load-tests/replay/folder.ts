import { readdir } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { ReplayError } from './say.ts';

/** What a folder of real input holds, as paths in a fixed order; empty lists where a part is missing. */
export interface Folder {
  readonly root: string;
  readonly transactions: readonly string[];
  readonly products: readonly string[];
  readonly redemptions: readonly string[];
  /** Bid requests that are to be sent with a mapped user. */
  readonly valid: readonly string[];
  /** Bytes that are to be sent as they are. */
  readonly invalid: readonly string[];
}

const REQUEST = /\.(json|txt|ndjson|jsonl)$/i;
/** Descriptions of the files beside them. */
const ABOUT = /^(manifest\.json|readme.*|license.*|\..*)$/i;

/** Looks at `root`/completejourney and `root`/openrtb, however deep the files are nested there. */
export async function readFolder(root: string): Promise<Folder> {
  const files = await filesUnder(root);
  const under = (folder: string) => files.filter((file) => relative(root, file).startsWith(folder.replaceAll('/', sep) + sep));
  const journey = (name: RegExp) => under('completejourney').filter((file) => name.test(basename(file)));
  const about = (file: string) => ABOUT.test(basename(file));
  const folder: Folder = {
    root,
    transactions: journey(/^transactions.*\.csv(\.gz)?$/i),
    products: journey(/^products.*\.csv(\.gz)?$/i),
    redemptions: journey(/^coupon_redemptions.*\.csv(\.gz)?$/i),
    valid: under('openrtb/valid').filter((file) => REQUEST.test(file) && !about(file)),
    invalid: under('openrtb/invalid').filter((file) => !about(file)),
  };
  if (folder.transactions.length + folder.redemptions.length + folder.valid.length + folder.invalid.length === 0) {
    throw new ReplayError(
      `${root} holds neither completejourney/transactions*.csv nor requests in openrtb/valid or openrtb/invalid.`,
    );
  }
  return folder;
}

async function filesUnder(root: string): Promise<string[]> {
  try {
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    return entries.flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name)] : [])).sort();
  } catch (error) {
    throw new ReplayError(`The folder ${root} cannot be read: ${(error as Error).message}`);
  }
}

/** Sentences on the parts that are not there, since what is skipped is said. */
export function missingParts(folder: Folder): string[] {
  const parts: [readonly string[], string][] = [
    [folder.transactions, 'completejourney/transactions*.csv: no purchases are imported, no user is mapped'],
    [folder.products, 'completejourney/products*.csv: no line has a department, category or brand'],
    [folder.redemptions, 'completejourney/coupon_redemptions*.csv: nobody has redeemed a coupon'],
    [folder.valid, 'openrtb/valid: no valid requests are sent'],
    [folder.invalid, 'openrtb/invalid: no invalid requests are sent'],
  ];
  return parts.flatMap(([files, sentence]) => (files.length === 0 ? [`There is no ${sentence}.`] : []));
}
