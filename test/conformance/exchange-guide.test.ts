import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { judge } from '../../load-tests/conformance/judge/judge.ts';
import { MACROS } from '../../load-tests/conformance/judge/markup.ts';
import { type AlwaysBidder, startAlways } from './support/always.ts';
import { FIELD_NOTES } from './support/field-notes.ts';
import { readFields, specifiedFields } from './support/recording.ts';

/** The page for exchanges is held to what runs: its table is made from the code, its samples are sent. */

const GUIDE = new URL('../../docs/exchange-guide.md', import.meta.url);
const read = readFields();
const specified = specifiedFields();
/** What is asked for only to see where it leads, or because a reader serves several objects. */
const LEADS =
  /^imp\.(pmp\.deals\.)?buyeruid$|^(site\.bundle|dooh\.(bundle|cat|page)|app\.page)$|assets\.title\.(?!len)|assets\.data\.(?!type|len)|assets\.(title|img|data|video)$|assets\.video\./;

const leadsOn = (path: string): boolean => specified.some((other) => other.startsWith(`${path}.`));
const isRead = (path: string): boolean =>
  read.has(path) && (FIELD_NOTES[path] !== undefined || !leadsOn(path)) && !(LEADS.test(path) && FIELD_NOTES[path] === undefined);

it('notes what is done with each field that is read, and with no other', () => {
  const readFieldsOfSpecification = specified.filter(isRead);
  expect(readFieldsOfSpecification.filter((path) => FIELD_NOTES[path] === undefined)).toEqual([]);
  expect(Object.keys(FIELD_NOTES).filter((path) => !read.has(path) || !specified.includes(path))).toEqual([]);
});

/** `imp.pmp.deals` stands for each of them. */
function table(): string {
  const rows = specified.filter(isRead).map((path) => `| \`${path}\` | ${FIELD_NOTES[path]} |`);
  return ['| field | what is done with it |', '|---|---|', ...rows].join('\n');
}

function olderPlaces(): string {
  const places = [...read].filter(
    (path) => !specified.includes(path) && /\bext\.|^regs\.gpc$|assets\.native|audio\.protocol/.test(path),
  );
  return places
    .sort()
    .map((path) => `\`${path}\``)
    .join(', ');
}

function notRead(): string {
  const isHidden = (path: string): boolean => specified.some((other) => path.startsWith(`${other}.`) && !read.has(other));
  const paths = specified.filter((path) => !read.has(path) && !isHidden(path));
  return paths.map((path) => `\`${path}\``).join(', ');
}

function generated(guide: string): string {
  const parts = { fields: table(), 'older places': olderPlaces(), 'not read': notRead() };
  return Object.entries(parts).reduce(
    (text, [name, part]) =>
      text.replace(
        new RegExp(`<!-- ${name} -->[\\s\\S]*?<!-- ${name} end -->`),
        () => `<!-- ${name} -->\n\n${part}\n\n<!-- ${name} end -->`,
      ),
    guide,
  );
}

// Where this fails, the page is older than the code: `npx vitest run test/conformance/exchange-guide.test.ts --update`.
it('tells in docs/exchange-guide.md which fields are read', async () => {
  await expect(generated(readFileSync(GUIDE, 'utf8'))).toMatchFileSnapshot(GUIDE.pathname);
});

it('names every macro of the specification, and no other', () => {
  const named = [...readFileSync(GUIDE, 'utf8').matchAll(/\$\{(AUCTION_\w+)\}/g)].map(([, name]) => name);
  for (const name of named) expect(MACROS).toContain(name);
});

interface Sample {
  readonly title: string;
  readonly request: string;
  readonly answer: string;
}

/** "### Sample: …" with a JSON block to send, and then the status and the JSON that come back; "…" is any value. */
function samples(): Sample[] {
  const guide = readFileSync(GUIDE, 'utf8');
  return [...guide.matchAll(/### Sample: (.*)\n[\s\S]*?```json\n([\s\S]*?)```[\s\S]*?```(?:json|text)\n([\s\S]*?)```/g)].map(
    ([, title = '', request = '', answer = '']) => ({ title, request, answer }),
  );
}

let always: AlwaysBidder;
beforeAll(async () => {
  always = await startAlways({
    sizes: [{ w: 300, h: 250 }],
    videoSeconds: [15],
    audioSeconds: [15],
    seat: null,
    dealDomains: [],
    pictures: [],
  });
  // The first answers of a process are slower than all others.
  for (let warm = 0; warm < 20; warm++)
    await always.send({ headers: { 'content-type': 'application/json' }, body: Buffer.from(samples()[0]?.request ?? '') });
});
afterAll(() => always.close());

it('shows at least four samples', () => expect(samples().length).toBeGreaterThanOrEqual(4));

it.each(samples())('answers the sample: $title', async ({ request, answer }) => {
  const body = Buffer.from(request);
  const reply = await always.send({ headers: { 'content-type': 'application/json' }, body });
  const parse = (bytes: Buffer): unknown => JSON.parse(bytes.toString());
  const question = { contentType: 'application/json', request: parsed(request), fatal: false, acceptsGzip: false } as const;
  expect(judge(question, { ...reply, read: parse }, always.terms).faults).toEqual([]);
  const [, status = '', json = ''] = /^(\d{3})\s*([\s\S]*)$/.exec(answer.trim()) ?? [];
  expect(reply.status).toBe(Number(status));
  if (json === '') expect(reply.body.length).toBe(0);
  else expect(parse(reply.body)).toEqual(expected(JSON.parse(json)));
});

function parsed(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}

function expected(value: unknown): unknown {
  if (value === '…') return expect.any(String);
  if (Array.isArray(value)) return value.map(expected);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, expected(part)]));
}
