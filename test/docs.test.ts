import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** The documents keep their word: commands are run by a named test or say why not, links lead somewhere. */

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const documents = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name)),
]
  .filter((name) => name.endsWith('.md'))
  .map((name) => ({ name, text: readFileSync(join(ROOT, name), 'utf8') }));

test('every command in the documents names the file that runs it, or says why none does', () => {
  const silent: string[] = [];
  for (const { name, text } of documents) {
    for (const match of text.matchAll(/(.*)\n```(?:bash|sh|console|)\n([^`]*)```/g)) {
      if (!/^(?:npm|npx|node|curl|docker|for|git|redis-cli) /m.test(match[2] ?? '')) continue;
      const told = /<!-- (?:run by (\S+)|not run: .+?) -->/.exec(match[1] ?? '');
      const runner = told?.[1];
      if (told === null || (runner !== undefined && !existsSync(join(ROOT, runner))))
        silent.push(`${name}: ${match[2]?.split('\n')[0]}`);
    }
  }
  expect(silent).toEqual([]);
});

test('every link between the documents leads to a file', () => {
  const broken: string[] = [];
  for (const { name, text } of documents) {
    for (const [, target] of text.matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)) {
      if (target !== undefined && !existsSync(join(ROOT, dirname(name), target))) broken.push(`${name} → ${target}`);
    }
  }
  expect(broken).toEqual([]);
});
