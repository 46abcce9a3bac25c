// `npm run doctor`: looks at everything that Walkin needs and says what to do about what is wrong. Exit code 1 on a failed check.
import type { Check } from './check.ts';
import { readConfig } from './config.ts';
import { machineChecks } from './machine-checks.ts';
import { runningOn, serverChecks } from './server-checks.ts';
import { StartError } from './start-error.ts';

function print(checks: readonly Check[]): void {
  const widths = { check: Math.max(...checks.map(({ check }) => check.length)) };
  for (const { check, ok, value, threshold, fix } of checks) {
    console.log(`${ok ? 'ok    ' : 'FAILED'}  ${check.padEnd(widths.check)}  ${value}  (wanted: ${threshold})`);
    if (fix !== null) console.log(`        ${' '.repeat(widths.check)}  fix: ${fix}`);
  }
}

async function examine(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const config = readConfig(
    args.filter((arg) => arg !== '--json'),
    env,
  );
  const running = await runningOn(config.data);
  const dataProcess = running?.processes.find(({ name }) => name === 'data' || name === 'dmp')?.pid ?? null;
  const checks = [...(await machineChecks(config.data, dataProcess)), ...(await serverChecks(config))];
  if (args.includes('--json')) console.log(JSON.stringify({ ok: checks.every(({ ok }) => ok), checks }, null, 2));
  else print(checks);
  if (checks.some(({ ok }) => !ok)) process.exitCode = 1;
}

try {
  await examine(process.argv.slice(2), process.env);
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
