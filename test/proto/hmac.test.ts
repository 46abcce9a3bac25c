import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { base64urlOf, createHmac256, hexOf } from '../../proto/hmac.ts';
import { sign, signerOf } from '../../proto/notice.ts';

const text = fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 100 }));
const ascii = fc.string({ unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code)), maxLength: 600 });

function nodes(key: string, message: string): Buffer {
  return createHmac('sha256', key).update(message).digest();
}

it('gives the digest that Node gives, of texts of any length and alphabet and keys of any length', () => {
  fc.assert(
    fc.property(text, fc.oneof(text, fc.string({ minLength: 9_000, maxLength: 9_100 })), (key, message) => {
      const wanted = nodes(key, message);
      const words = createHmac256(key).words(message);
      expect([...words].map(hexOf).join('')).toBe(wanted.toString('hex'));
      expect(base64urlOf(words)).toBe(wanted.toString('base64url', 0, 12));
      const cut = Math.floor(message.length / 3);
      const parted = createHmac256(key).wordsOf(message.slice(0, cut), message.slice(cut));
      expect([...parted].map(hexOf).join('')).toBe(wanted.toString('hex'));
    }),
    { numRuns: 500 },
  );
});

it('gives the same after a beginning that several texts share', () => {
  fc.assert(
    fc.property(ascii, fc.array(text, { minLength: 1, maxLength: 4 }), (beginning, rests) => {
      const words = createHmac256('key').after(beginning);
      for (const rest of rests) expect([...words(rest)].map(hexOf).join('')).toBe(nodes('key', beginning + rest).toString('hex'));
    }),
  );
});

it('signs the addresses of a bid as one by one', () => {
  fc.assert(
    fc.property(ascii, text, (payload, context) => {
      expect(signerOf(payload, 'secret')(context)).toBe(sign(payload, context, 'secret'));
      expect(sign(payload, context, 'secret')).toBe(nodes('secret', `${payload}\n${context}`).toString('base64url', 0, 12));
    }),
  );
});
