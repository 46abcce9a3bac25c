import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  hashedText,
  hashesOf,
  hashVariant,
  type IdentifierKind,
  identifierKey,
  keyIdentifier,
  normalizeIdentifier,
  receiptKey,
} from '../../proto/identifier.ts';
import { macOf } from '../../proto/mac.ts';

const PEPPER = 'pepper';

/** Test vectors of the reference: what is given, by whose rules, what is hashed, hex, Base64. */
const VECTORS: readonly (readonly [
  given: string,
  specs: ('uid2' | 'google' | 'meta' | 'yandex')[],
  text: string,
  hex: string,
  base64: string,
])[] = [
  [
    ' USER@Example.com ',
    ['uid2', 'google', 'meta', 'yandex'],
    'user@example.com',
    'b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514',
    'tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ=',
  ],
  [
    'Jane.Saoirse+Work@gmail.com',
    ['uid2', 'google'],
    'janesaoirse@gmail.com',
    '92ee26057ed9dea2535d6c8b141d48373932476599196e00352254896db5888f',
    'ku4mBX7Z3qJTXWyLFB1INzkyR2WZGW4ANSJUiW21iI8=',
  ],
  [
    'JaneSaoirse+Work@example.com',
    ['uid2', 'google', 'meta', 'yandex'],
    'janesaoirse+work@example.com',
    '28aaee4815230cd3b4ebd88c515226550666e91ac019929e3adac3f66c288180',
    'KKruSBUjDNO069iMUVImVQZm6RrAGZKeOtrD9mwogYA=',
  ],
  [
    'jane.saoirse@gmail.com',
    ['meta', 'yandex'],
    'jane.saoirse@gmail.com',
    '58bad64ae1c94e2bfdcf592ca545bea6201cbe1a87f8bef0cb88388f88009649',
    'WLrWSuHJTiv9z1kspUW+piAcvhqH+L7wy4g4j4gAlkk=',
  ],
  [
    '+1 (234) 567-8901',
    ['uid2', 'google'],
    '+12345678901',
    '10e6f0b47054a83359477dcb35231db6de5c69fb1816e1a6b98e192de9e5b9ee',
    'EObwtHBUqDNZR33LNSMdtt5cafsYFuGmuY4ZLenlue4=',
  ],
  [
    '+12345678901',
    ['meta', 'yandex'],
    '12345678901',
    '254aa248acb47dd654ca3ea53f48c2c26d641d23d7e2e93a1ec56258df7674c4',
    'JUqiSKy0fdZUyj6lP0jCwm1kHSPX4uk6HsViWN92dMQ=',
  ],
  [
    '8 (999) 555-11-11',
    ['uid2', 'google'],
    '+79995551111',
    '86cc60992d2e0fde2e5511d462b755057f8f5c6b259a1ff7c2eee2ea284eb113',
    'hsxgmS0uD94uVRHUYrdVBX+PXGslmh/3wu7i6ihOsRM=',
  ],
  [
    '8 (999) 555-11-11',
    ['meta', 'yandex'],
    '79995551111',
    '22846ab8f79870871eb44f653419a4a5069301827d8ae75b6c2a88e4989a364e',
    'IoRquPeYcIcetE9lNBmkpQaTAYJ9iudbbCqI5JiaNk4=',
  ],
];

describe('hash variants', () => {
  for (const [given, specs, text, hex, base64] of VECTORS)
    for (const spec of specs)
      test(`${given.trim()} is ${text} under ${spec}`, () => {
        const kind = given.includes('@') ? 'email' : 'phone';
        expect(hashedText(spec, kind, given)).toBe(text);
        expect(hashVariant(spec, kind, given)).toEqual({ hex, base64 });
      });

  test('dots and tags go from gmail.com under UID2 and Google, from googlemail.com under Google alone, and stay elsewhere', () => {
    expect(hashedText('meta', 'email', 'Jane.Saoirse+Work@gmail.com')).toBe('jane.saoirse+work@gmail.com');
    expect(hashedText('yandex', 'email', 'Jane.Saoirse+Work@gmail.com')).toBe('jane.saoirse+work@gmail.com');
    expect(hashedText('google', 'email', 'Jane.Saoirse+Work@googlemail.com')).toBe('janesaoirse@googlemail.com');
    expect(hashedText('uid2', 'email', 'Jane.Saoirse+Work@googlemail.com')).toBe('jane.saoirse+work@googlemail.com');
    expect(hashedText('google', 'email', 'jane saoirse @example.com')).toBe('janesaoirse@example.com');
    expect(hashedText('uid2', 'email', 'jane saoirse@example.com')).toBeNull();
    expect(hashVariant('meta', 'email', 'nobody')).toBeNull();
  });

  test('a hash is one identifier as hex and as Base64, and by whatever specification it was made', () => {
    const [, , , hex, base64] = VECTORS[0] as (typeof VECTORS)[number];
    const key = keyIdentifier({ kind: 'email_uid2', value: base64 }, PEPPER);
    for (const kind of ['email_uid2', 'email_google', 'email_meta', 'email_yandex'] as const)
      for (const value of [hex, hex.toUpperCase(), base64, base64.replace('/', '_').replace('=', '')])
        expect(keyIdentifier({ kind, value }, PEPPER)).toBe(key);
    expect(keyIdentifier({ kind: 'phone_uid2', value: hex }, PEPPER)).not.toBe(key);
    expect(keyIdentifier({ kind: 'email', value: 'user@example.com' }, PEPPER)).not.toBe(key);
  });

  test('MD5, cut hashes and the hash of nothing name nobody', () => {
    for (const value of [
      'b58996c504c5638798eb6b511e6f49af',
      'b4c9a289',
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      '0'.repeat(64),
      'user@example.com',
    ])
      expect(normalizeIdentifier('email_meta', value), value).toBeNull();
  });

  test('the plain identifier brings each digest that a partner may send, once', () => {
    expect(hashesOf('email', 'user@example.com').map(({ kind }) => kind)).toEqual(['email_uid2']);
    expect(hashesOf('email', 'jane.saoirse@googlemail.com').map(({ kind }) => kind)).toEqual(['email_uid2', 'email_google']);
    expect(hashesOf('email', 'jane.saoirse@gmail.com').map(({ kind }) => kind)).toEqual(['email_uid2', 'email_meta']);
    expect(hashesOf('phone', '+79995551111').map(({ kind }) => kind)).toEqual(['phone_uid2', 'phone_meta']);
    expect(hashesOf('ifa', 'abc')).toEqual([]);
    const sent = keyIdentifier({ kind: 'phone_yandex', value: (VECTORS[7] as (typeof VECTORS)[number])[3] }, PEPPER);
    const joined = hashesOf('phone', '+79995551111').map((hash) => keyIdentifier(hash, PEPPER));
    expect(joined).toContain(sent);
  });
});

describe('phones', () => {
  test.each(['8 (999) 555-11-11', '8-999-5551111', '+7 999 555-11-11', '79995551111', '9995551111', '007 999 555 11 11'])(
    '%s is +79995551111',
    (value) => {
      expect(normalizeIdentifier('phone', value)).toBe('+79995551111');
    },
  );

  test.each(['555-11-11', '112', '8 999 555 11 11 доб. 3', 'call me', '+1234567890123456', '0123456789', ''])(
    '%s names nobody',
    (value) => {
      expect(normalizeIdentifier('phone', value)).toBeNull();
    },
  );

  test('an 8 with a plus or of another length is no Russian trunk', () => {
    expect(normalizeIdentifier('phone', '+81 90 1234 5678')).toBe('+819012345678');
    expect(normalizeIdentifier('phone', '819012345678')).toBe('+819012345678');
  });
});

describe('e-mails', () => {
  test('a domain of other letters is kept as punycode, in lower case', () => {
    expect(normalizeIdentifier('email', 'Info@Почта.РФ')).toBe('info@xn--80a1acny.xn--p1ai');
    expect(normalizeIdentifier('email', 'info@xn--80a1acny.xn--p1ai')).toBe('info@xn--80a1acny.xn--p1ai');
  });

  test('no-break and zero-width spaces around it are nothing', () => {
    expect(normalizeIdentifier('email', '\u00a0\u200bUser@Example.com\ufeff')).toBe('user@example.com');
  });
});

describe('MAC addresses', () => {
  test.each([
    ['34:ab:95:00:11:22', 'universal'],
    ['9C-AB-95-00-11-22', 'universal'],
    ['00ab.9500.1122', 'universal'],
    ['7e:ab:95:00:11:22', 'randomised'],
    ['be:ab:95:00:11:22', 'randomised'],
    ['da:ab:95:00:11:22', 'randomised'],
    ['ff:ff:ff:ff:ff:ff', 'multicast'],
    ['01:00:5e:00:00:16', 'multicast'],
    ['34:ab:95:00:11', 'unreadable'],
    ['34:ab:95:00:11:zz', 'unreadable'],
    ['00:00:00:00:00:00', 'unreadable'],
  ])('%s is %s', (value, kind) => {
    expect(macOf(value).kind).toBe(kind);
    expect(normalizeIdentifier('mac', value) !== null).toBe(kind === 'universal');
  });

  test('all ways of writing one are one identifier', () => {
    for (const value of ['34:AB:95:00:11:22', '34-ab-95-00-11-22', '34ab.9500.1122', '34ab95001122'])
      expect(normalizeIdentifier('mac', value)).toBe('34ab95001122');
  });
});

describe('networks of households', () => {
  test.each([
    ['93.184.216.34', '93.184.216.34'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:1:2::1', '2001:db8:1:2::/64'],
    ['2a00::', '2a00:0:0:0::/64'],
    ['::ffff:93.184.216.34', '93.184.216.34'],
    ['::FFFF:5db8:d822', '93.184.216.34'],
  ])('%s is %s', (value, network) => {
    expect(normalizeIdentifier('ip', value)).toBe(network);
  });

  test.each([
    '10.1.2.3',
    '192.168.0.1',
    '172.31.0.1',
    '100.64.9.9',
    '127.0.0.1',
    '224.0.0.1',
    'fe80::1',
    '::1',
    'fc00::1',
    '1.2.3',
    '1.2.3.4/24',
    '::ffff:10.1.2.3',
    '::fffe:93.184.216.34',
  ])('%s is nobody’s', (value) => {
    expect(normalizeIdentifier('ip', value)).toBeNull();
  });
});

describe('keys', () => {
  /** By the platform's own HMAC, of which ours is the fast form: what is stored under a key must be found by the next version. */
  const slowKey = (name: string, value: string): string => {
    const bytes = createHmac('sha256', PEPPER).update(`${name}\n${value}`).digest().subarray(0, 16);
    bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80;
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
    return bytes.toString('hex').replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5');
  };

  test.each(['7001', 'Ёлка', 'x'.repeat(51), 'x'.repeat(300)])('of %s are a digest of kind and value', (value) => {
    expect(identifierKey('loyalty', value, PEPPER)).toBe(slowKey('loyalty', value));
    expect(identifierKey('phone_google', value, PEPPER)).toBe(slowKey('phone_sha256', value));
    expect(receiptKey('till', value, PEPPER)).toBe(slowKey('receipt', `till\n${value}`));
  });
});

describe('namespaces', () => {
  test('the same number of two retailers is two people, and without a namespace keys are what they were', () => {
    const card = (namespace?: string) => keyIdentifier({ kind: 'loyalty', value: '7001' }, PEPPER, namespace);
    expect(card('birch')).not.toBe(card('oak'));
    expect(card('')).toBe(identifierKey('loyalty', '7001', PEPPER));
    expect(card()).toBe(card(''));
  });

  test('what the whole world knows has none', () => {
    const values: [IdentifierKind, string][] = [
      ['ifa', 'abcdef12-0000-4000-8000-000000000001'],
      ['email', 'user@example.com'],
      ['phone', '+79995551111'],
      ['cookie', 'c-1'],
      ['exchange', 'x:1'],
      ['mac', '34:ab:95:00:11:22'],
    ];
    for (const [kind, value] of values)
      expect(keyIdentifier({ kind, value }, PEPPER, 'birch')).toBe(keyIdentifier({ kind, value }, PEPPER));
  });
});

test('keys that are in use stay what they are', () => {
  // Made by the first version: a change here orphans all data of every installation.
  expect(keyIdentifier({ kind: 'ifa', value: 'ABCDEF12-0000-4000-8000-000000000001' }, PEPPER)).toBe(KEYS.ifa);
  expect(keyIdentifier({ kind: 'email', value: 'User@Example.com' }, PEPPER)).toBe(KEYS.email);
  expect(keyIdentifier({ kind: 'phone', value: '8 999 555 11 11' }, PEPPER)).toBe(KEYS.phone);
  expect(keyIdentifier({ kind: 'loyalty', value: '7001' }, PEPPER)).toBe(KEYS.loyalty);
  expect(keyIdentifier({ kind: 'exchange', value: 'city:u7' }, PEPPER)).toBe(KEYS.exchange);
});

const KEYS = {
  ifa: '6836eb2f-b430-8768-8757-dacfbdbc51b8',
  email: '1043c04b-6b0a-8e3c-b6fe-de18986e0494',
  phone: '488a8554-32d7-824d-a756-b83c12bc13bb',
  loyalty: '4800d452-7c34-89ee-8c8b-c85bbbfb3006',
  exchange: '1ce7f184-1d82-8161-a2ec-45af33727797',
};
