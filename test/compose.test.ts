import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const read = (file: string): string => readFileSync(`${ROOT}${file}`, 'utf8');

interface ComposePart {
  readonly image?: string;
  readonly build?: string;
  readonly user?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly deploy?: { readonly replicas: number };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

interface Compose {
  readonly services: Readonly<Record<string, ComposePart>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as Compose;
const parts = Object.entries(compose.services);
const part = (name: string): ComposePart => compose.services[name] ?? {};

interface Stage {
  readonly base: string;
  readonly name: string;
  readonly lines: readonly string[];
}

/** Stages of the Dockerfile, continued lines joined, comments left out. */
function stagesOf(dockerfile: string): Stage[] {
  const lines = dockerfile
    .replace(/^#.*$/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: { base: string; name: string; lines: string[] }[] = [];
  for (const line of lines) {
    const [, base = '', name = ''] = /^FROM (\S+) AS (\S+)$/.exec(line) ?? [];
    if (base !== '') stages.push({ base, name, lines: [] });
    else stages.at(-1)?.lines.push(line);
  }
  return stages;
}

const stages = stagesOf(read('Dockerfile'));
const runtime = stages.at(-1);

/** A version down to the patch, so that the same file gives the same program next year. */
const isPinned = (image: string): boolean => /:v?\d+\.\d+\.\d+/.test(image);
const isRequired = (value: string): boolean => /^\$\{[A-Z_]+:\?[^}]+\}$/.test(value);

test('the server form has ClickHouse, Redis, dmp, segmenter, who answers pages, and two bidders behind one port', () => {
  const names = ['bidder', 'bidder-proxy', 'clickhouse', 'dmp', 'pages', 'redis', 'segmenter'];
  expect(parts.map(([name]) => name).sort()).toEqual(names);
  expect(part('bidder').deploy?.replicas).toBe(2);
  expect(part('bidder').ports).toBeUndefined();
  expect(part('bidder-proxy').ports).toEqual(['127.0.0.1:8080:8080']);
  expect(read('deploy/bidder-proxy.conf')).toMatch(/listen 8080;.*proxy_pass http:\/\/bidders;/s);
  expect(read('deploy/bidder-proxy.conf')).toContain('server bidder:8080 resolve');
});

test('every part says whether it is healthy, and waits for what it needs', () => {
  const image = runtime?.lines.some((line) => line.startsWith('HEALTHCHECK'));
  for (const [name, { healthcheck, build }] of parts) {
    expect(healthcheck !== undefined || (build === '.' && image === true), name).toBe(true);
  }
  for (const [name, { depends_on: needs = {} }] of parts) {
    for (const need of Object.values(needs)) expect(need.condition, name).toBe('service_healthy');
  }
  expect(Object.keys(part('dmp').depends_on ?? {}).sort()).toEqual(['clickhouse', 'redis']);
});

test('the health check of each process asks the port that it serves health on', () => {
  const portOf = {
    dmp: 'WALKIN_API_METRICS_PORT',
    segmenter: 'WALKIN_SEGMENTER_METRICS_PORT',
    bidder: 'WALKIN_BIDDER_METRICS_PORT',
    pages: 'WALKIN_PAGES_METRICS_PORT',
  };
  for (const [name, port] of Object.entries(portOf)) {
    const environment = part(name).environment ?? {};
    expect(environment['WALKIN_HEALTH_PORT'], name).toBe(environment[port]);
  }
});

test('there are no default passwords: each secret must be given', () => {
  const secrets = parts.flatMap(([name, { environment = {} }]) =>
    Object.entries(environment)
      // Most have no old pepper.
      .filter(([variable]) => /PASSWORD|SECRET|PEPPER|AUTH|_KEY$/.test(variable) && variable !== 'WALKIN_OLD_PEPPERS')
      .map(([variable, value]) => ({ at: `${name}.${variable}`, value })),
  );
  expect(secrets.length).toBeGreaterThanOrEqual(7);
  expect(secrets.filter(({ value }) => !isRequired(value))).toEqual([]);
  const redis = part('redis').command ?? [];
  expect(isRequired(redis[redis.indexOf('--requirepass') + 1] ?? '')).toBe(true);
});

test('addresses carry their password only as a variable', () => {
  const addresses = parts
    .flatMap(([, { environment = {} }]) => Object.values(environment))
    .filter((value) => value.includes('@'));
  expect(addresses).toHaveLength(6);
  for (const address of addresses) expect(address).toMatch(/^\w+:\/\/\w*:\$\{[A-Z_]+:\?[^}]+\}@/);
});

test('Redis keeps its queues: append-only file, and no eviction', () => {
  const command = part('redis').command ?? [];
  expect(command[command.indexOf('--appendonly') + 1]).toBe('yes');
  expect(command[command.indexOf('--maxmemory-policy') + 1]).toBe('noeviction');
});

test('what must outlive a container is on a declared volume', () => {
  const used = parts.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0] ?? ''));
  const named = used.filter((volume) => !volume.startsWith('.'));
  expect([...new Set(named)].sort()).toEqual(Object.keys(compose.volumes).sort());
  for (const name of ['clickhouse', 'redis', 'dmp']) expect(part(name).volumes, name).not.toBeUndefined();
  for (const volume of used.filter((volume) => volume.startsWith('.'))) expect(existsSync(`${ROOT}${volume}`), volume).toBe(true);
});

test('images are pinned', () => {
  for (const [name, { image = '' }] of parts) expect(isPinned(image), `${name}: ${image}`).toBe(true);
  const outside = stages.filter(({ base }) => !stages.some(({ name }) => name === base));
  for (const { base } of outside) expect(isPinned(base), base).toBe(true);
});

test('no port is published beyond the machine', () => {
  const ports = parts.flatMap(([, { ports: published = [] }]) => published);
  expect(ports.length).toBeGreaterThan(1);
  for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
});

test('nothing runs as root', () => {
  expect(runtime?.lines.filter((line) => line.startsWith('USER'))).toEqual(['USER node']);
  for (const [name, { user = '', build, image = '' }] of parts) {
    const unprivileged = /^[1-9]\d*:[1-9]\d*$/.test(user) || build === '.' || image.includes('unprivileged');
    expect(unprivileged, name).toBe(true);
  }
});

test('each command starts a file that the build makes', () => {
  const own = parts.filter(([, { build }]) => build === '.');
  expect(own.map(([name]) => name).sort()).toEqual(['bidder', 'dmp', 'pages', 'segmenter']);
  for (const [name, { command = [] }] of own) {
    const folder = name === 'pages' ? 'dmp/pages' : name;
    expect(command, name).toEqual(['node', `dist/${folder}/main.js`]);
    expect(existsSync(`${ROOT}${folder}/main.ts`), `${folder}/main.ts`).toBe(true);
  }
  expect(runtime?.lines).toContain('CMD ["node", "dist/dmp/main.js"]');
});

test('the image is built in stages and ships neither development packages nor the embedded engine', () => {
  expect(stages.map(({ name }) => name)).toEqual(['deps', 'build', 'runtime']);
  expect(runtime?.lines.find((line) => line.includes('npm ci'))).toMatch(/--omit=dev --omit=optional/);
  expect(runtime?.lines).toContain('COPY --from=build /app/dist ./dist');
  expect(runtime?.lines).toContain('ENTRYPOINT ["tini", "--"]');
  expect(stages[1]?.lines).toContain('RUN node setup.mjs --build');
  const ignored = read('.dockerignore').split('\n');
  for (const name of ['node_modules', 'dist', 'data', '.git']) expect(ignored, name).toContain(name);
});
