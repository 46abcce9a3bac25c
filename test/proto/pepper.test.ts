import { expect, test } from 'vitest';
import { IDENTIFIER_KINDS, identifierKey } from '../../proto/identifier.ts';
import { currentPepper, everyPepper, oldestPepper, pepperRing, tenantRing } from '../../proto/pepper.ts';

const RING = pepperRing('the-pepper-of-now', 'the-pepper-of-before');

test('keys of tenants, generations and kinds never coincide', () => {
  const keys = new Set<string>();
  let made = 0;
  for (const tenant of ['', 'a', 'b', 'a\n1', '1', '11', ...Array.from({ length: 60 }, (_, n) => `adv_${n}`)])
    for (const pepper of everyPepper(tenantRing(RING, tenant, [11, 1])))
      for (const kind of IDENTIFIER_KINDS.filter((one) => !one.startsWith('email_') && !one.startsWith('phone_')))
        for (const value of ['ann@example.org', '7001']) {
          keys.add(identifierKey(kind, value, pepper));
          made++;
        }
  for (const pepper of everyPepper(RING)) keys.add(identifierKey('email', 'ann@example.org', pepper));
  expect(keys.size).toBe(made + 2);
});

test('a tenant’s ring has each generation under each of the installation’s peppers, and ends with what lasts', () => {
  const [now, before] = everyPepper(RING) as [string, string];
  const both = tenantRing(RING, 'a', [2, 1]);
  expect(everyPepper(both)).toHaveLength(4);
  expect(currentPepper(both)).toBe(tenantRing(now, 'a', [2]));
  expect(oldestPepper(both)).toBe(tenantRing(before, 'a', [1]));
  expect(oldestPepper(tenantRing(before, 'a', [1]))).toBe(oldestPepper(both));
});

test('generation 0 is the installation’s pepper', () => {
  expect(tenantRing(RING, 'a', [0])).toBe(RING);
  expect(everyPepper(tenantRing(RING, 'a', [1, 0])).slice(2)).toEqual(everyPepper(RING));
});

test('a tenant’s pepper stays what it is', () => {
  // A change here orphans the facts of every tenant.
  expect(tenantRing('pepper', 'adv_1', [1])).toBe('c22805bb8a4687cba7fdfd52dce7bea0245646d694c0687ac5fff1c9ab940c4c');
});
