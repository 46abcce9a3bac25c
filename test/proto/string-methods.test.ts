import { setFlagsFromString } from 'node:v8';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { quickenTexts } from '../../proto/string-methods.ts';

test('methods of texts are found fast again where a class extends String, as one of ioredis does', () => {
  setFlagsFromString('--allow-natives-syntax');
  const areFast = new Function('return %HasFastProperties(String.prototype)') as () => boolean;
  class Tagged extends String {}
  expect([new Tagged('a').length, typeof Redis]).toEqual([1, 'function']);
  quickenTexts();
  expect(areFast()).toBe(true);
});
