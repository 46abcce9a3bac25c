import { expect, it } from 'vitest';
import { remember } from '../../../proto/privacy/memory.ts';

it('what a text means is read once, as long as it is asked for', () => {
  let reads = 0;
  const meaning = remember((text) => {
    reads++;
    return text.toUpperCase();
  }, 10_000);
  for (let i = 0; i < 1_000; i++) {
    expect(meaning('often')).toBe('OFTEN');
    meaning(`once ${i}`);
  }
  expect(reads).toBe(1_001);
  meaning('once 0');
  expect(reads).toBe(1_002);
});
