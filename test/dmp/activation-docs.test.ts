import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportWork } from '../../dmp/destinations/run.ts';
import { createKeyring } from '../../dmp/events/keyring.ts';
import { startJobWorker } from '../../dmp/jobs/queue.ts';
import { profileKey } from '../../proto/keys.ts';
import { encodeProfile, hourOf } from '../../proto/profile.ts';
import { ADMIN_KEY, startApi, type TestApi } from '../support/api.ts';
import { sendRig } from './destinations-rig.ts';

/** The commands of docs/activation.md, as they stand there, one block after the other. */

const TEXT = readFileSync(new URL('../../docs/activation.md', import.meta.url), 'utf8');
const [rails = '', destination = '', lookup = ''] = [
  ...TEXT.matchAll(/<!-- run by test\/dmp\/activation-docs\.test\.ts -->\n```bash\n([^`]*)```/g),
].map(([, text]) => text ?? '');

let api: TestApi;
let address = '';
let worker: { close(): Promise<void> };
const run = async (text: string): Promise<string> => {
  const script = text.replaceAll(/http:\/\/127\.0\.0\.1:808[12]/g, address);
  const options = { env: { ...process.env, KEY: ADMIN_KEY }, timeout: 25_000 };
  return (await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], options)).stdout;
};

beforeAll(async () => {
  api = await startApi();
  address = await api.app.listen({ host: '127.0.0.1', port: 0 });
  const { redis, log } = api.deps;
  worker = startJobWorker({
    ...{ connection: redis, queue: 'exports', works: { export: exportWork(api.deps) }, concurrency: 1, log },
  });
  await api.ok('PUT', '/v1/advertisers/shop', { name: 'Shop', domains: ['shop.example'] });
});
afterAll(async () => {
  await worker?.close();
  await api?.stop();
});

test('guard rails, a destination with its file and match rate, and a lookup', async () => {
  expect(await run(rails)).toContain('"current":[]');
  const rig = sendRig(api);
  await rig.identify('crm', [
    [
      ['email', 'user@example.com'],
      ['cookie', 'visitor-1'],
    ],
    [['phone', '+79995551111']],
  ]);
  await rig.members('regulars', [
    ['email', 'user@example.com'],
    ['phone', '+79995551111'],
  ]);
  const sent = await run(destination);
  expect(sent).toContain('Email,Phone\n');
  expect(sent).toContain('b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514,\n');
  expect(sent).toContain('"rate":0.5');
  const anchor = createKeyring(api.deps.pepper).keyOf('cookie', 'visitor-1') as string;
  const hour = hourOf(Date.now());
  const segment = api.deps.things.get('segment', 'regulars')?.body.number as number;
  const memberships = [{ segment, since: hour, until: hour + 100 }];
  await api.deps.redis.set(profileKey(anchor), encodeProfile({ profile: 1, anchor, consent: 0, hour, memberships }));
  expect(await run(lookup)).toContain('{"segments":["regulars"]}');
}, 90_000);
