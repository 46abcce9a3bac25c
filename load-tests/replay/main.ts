// `npm run replay -- <folder>`: real purchases in, three segments, real bid requests out. Its last line is one JSON object.
import { type Api, createApi } from './api.ts';
import { createCampaign, EXCHANGE, exchangeUser, snapshotVersion, waitServed } from './campaign.ts';
import { type Folder, missingParts, readFolder } from './folder.ts';
import { LINE_COLUMN, scanTransactions, transactionsOf } from './households.ts';
import { createSource, importFiles, SOURCE } from './imports.ts';
import { noBidsSince, readNoBids } from './no-bids.ts';
import { type Options, readOptions, type Target } from './options.ts';
import { type OwnWalkin, startOwnWalkin } from './own-walkin.ts';
import { type Call, type MappedUser, readCalls, sizesOf, userOf, withUser } from './requests.ts';
import { ReplayError, say } from './say.ts';
import { createSegments, refresh, segmentSizes } from './segments.ts';
import { sendAll } from './send.ts';
import { percentile, type Summary, statusCounts, table } from './summary.ts';

async function replay(folder: Folder, target: Target): Promise<Summary> {
  const api = createApi(target);
  const { imports, households, seconds } = await importAll(api, folder);
  const valid = await readCalls(folder.root, folder.valid);
  const invalid = await readCalls(folder.root, folder.invalid);
  const { calls, users } = mapUsers(valid, households);
  await linkUsers(api, users);
  say(`Mapped the users of ${calls.length} requests onto ${users.length} households`);
  const before = await snapshotVersion(api);
  await createSegments(api);
  await createCampaign(api, sizesOf(valid));
  await refresh(api);
  const segments = await segmentSizes(api);
  say(
    `Segments: ${Object.entries(segments)
      .map(([name, size]) => `${name} ${size}`)
      .join(', ')}`,
  );
  await waitServed(api, before);

  say(`Sending ${calls.length} valid and ${invalid.length} invalid requests`);
  const counted = await readNoBids(target.bidderMetrics);
  const address = `${target.bidder}/openrtb2/${EXCHANGE}`;
  const validAnswers = await sendAll(address, calls);
  const invalidAnswers = await sendAll(address, invalid);
  const answers = [...validAnswers, ...invalidAnswers];
  const bids = answers.filter((answer) => answer.bids > 0).length;
  const status = statusCounts(answers);
  return {
    rows: imports.purchases.rows,
    quarantined: imports.purchases.quarantined,
    seconds,
    imports,
    segments,
    requests: answers.length,
    bids,
    noBids: await noBidsSince(target.bidderMetrics, counted, status['204'] ?? 0),
    status,
    p50: percentile(answers, 0.5),
    p99: percentile(answers, 0.99),
    invalidBids: invalidAnswers.flatMap(({ file, bids: n }) => (n > 0 ? [file] : [])),
  };
}

async function importAll(api: Api, folder: Folder) {
  const scanned = await scanTransactions(folder.transactions);
  const { ids: households, repeated } = scanned;
  await createSource(api);
  const started = performance.now();
  const products = await importFiles(api, 'product', folder.products);
  say(`Products: ${products.rows} in, ${products.quarantined} quarantined`);
  if (repeated.size > 0) say(`${repeated.size} products stand on several different lines of a receipt: each line gets a name`);
  const purchases = await importFiles(api, 'purchase', folder.transactions, {
    open: (file) => transactionsOf(file, scanned),
    columns: repeated.size > 0 ? { line: LINE_COLUMN } : {},
  });
  say(`Purchases: ${purchases.rows} rows in, ${purchases.quarantined} quarantined, of ${households.length} households`);
  const redemptions = await importFiles(api, 'redemption', folder.redemptions);
  say(`Coupon redemptions: ${redemptions.rows} in, ${redemptions.quarantined} quarantined`);
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  return { imports: { products, purchases, redemptions }, households, seconds };
}

/** Requests take turns on the households. Without any the requests are sent as they are. */
function mapUsers(valid: readonly Call[], households: readonly string[]): { calls: Call[]; users: MappedUser[] } {
  const users = households.slice(0, valid.length).map(userOf);
  const calls = valid.map((call, index) => {
    const user = users[index % users.length];
    return (user === undefined ? null : withUser(call, user)) ?? call;
  });
  return { calls, users };
}

/** Tells Walkin that the user whom the requests name is the household with this loyalty card. */
async function linkUsers(api: Api, users: readonly MappedUser[]): Promise<void> {
  const at = new Date().toISOString();
  const events = users.map(({ household, userId, buyeruid, ifa }) => ({
    type: 'identify',
    at,
    identifiers: [
      { kind: 'loyalty', value: household },
      { kind: 'exchange', value: exchangeUser(userId) },
      { kind: 'cookie', value: buyeruid },
      { kind: 'ifa', value: ifa },
    ],
  }));
  for (let start = 0; start < events.length; start += 1000) {
    const { quarantined, errors } = await api.postLines<{ quarantined: number; errors: unknown[] }>(
      `/v1/events?source=${SOURCE}`,
      events.slice(start, start + 1000),
    );
    if (quarantined > 0) say(`${quarantined} households could not be linked: ${JSON.stringify(errors[0])}`);
  }
}

async function run({ folder: root, target }: Options): Promise<void> {
  const folder = await readFolder(root);
  for (const sentence of missingParts(folder)) say(sentence);
  let own: OwnWalkin | null = null;
  if (target === null) {
    say('Starting a Walkin on a temporary folder');
    own = await startOwnWalkin(process.env);
    say(`It answers at ${own.target.api} and ${own.target.bidder}`);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void own?.stop().then(() => process.exit(1)));
  }
  try {
    const summary = await replay(folder, (own?.target ?? target) as Target);
    console.log(`\n${table(summary)}\n`);
    await own?.stop();
    console.log(JSON.stringify(summary));
  } catch (error) {
    await own?.stop();
    throw error;
  }
}

try {
  await run(readOptions(process.argv.slice(2)));
} catch (error) {
  console.error(error instanceof ReplayError ? error.message : error);
  process.exitCode = 1;
}
