import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { NodeTable } from '../../segmenter/identity/node-table.ts';
import { Union } from '../../segmenter/identity/union.ts';

test('keys keep their numbers and their texts while the table grows', () => {
  const bytes = randomBytes(16 * 5_000);
  const table = new NodeTable(1);
  for (let n = 0; n < 5_000; n++) expect(table.add(bytes, n * 16)).toBe(n);
  for (let n = 0; n < 5_000; n++) {
    expect(table.add(bytes, n * 16)).toBe(n);
    const half = (at: number): string =>
      Buffer.from(bytes.subarray(at, at + 8))
        .reverse()
        .toString('hex');
    expect(table.uuid(n).replaceAll('-', '')).toBe(half(n * 16) + half(n * 16 + 8));
  }
  expect(table.size).toBe(5_000);
});

test('a union stays below its limit', () => {
  const union = new Union(6);
  expect(union.join(0, 1, 3)).toBe(true);
  expect(union.join(2, 3, 3)).toBe(true);
  expect(union.join(1, 2, 3)).toBe(false);
  expect(union.join(1, 4, 3)).toBe(true);
  expect(union.join(0, 4, 3)).toBe(true);
  expect(union.root(0)).toBe(union.root(4));
  expect(union.root(0)).not.toBe(union.root(3));
});
