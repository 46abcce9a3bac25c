import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { liveExchange } from '../../dmp/snapshot/exchanges.ts';
import { startApi, type TestApi } from '../support/api.ts';

const TOKEN = 'a-token-of-the-exchange';
const KEYS = {
  encryptionKey: 'sIxwz7yw62yrfoLGt12lIHKuYrK/S5kLuApI2BQe7Ac=',
  integrityKey: 'v3fsVcMBMMHYzRhi7SpM0sdqwzvAxM6KPTu9OtVod5I=',
};
const SECRETS = [TOKEN, KEYS.encryptionKey, KEYS.integrityKey, createHash('sha256').update(TOKEN).digest('hex')];

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

const ANY = { headers: { 'if-match': '*' } };

function live(id: string) {
  const thing = api.deps.things.get('exchange', id);
  if (thing === undefined) throw new Error(`no exchange ${id}`);
  return liveExchange(thing);
}

describe('an exchange', () => {
  it('needs no more than a name: everything else is as in the specification', async () => {
    await api.ok('POST', '/v1/exchanges', { id: 'plain', name: 'Plain' });
    expect(live('plain')).toEqual({
      id: 'plain',
      format: 'json',
      gzip: 'auto',
      defaultTmax: 100,
      networkAllowance: 10,
      billing: 'burl',
      currency: null,
      seat: null,
      tokenHash: null,
      requiredFields: [],
      price: { kind: 'plain' },
      sendsNoBidReason: false,
      bidsPerImp: 1,
      trustsUnknownLocation: false,
      defaultAuction: 2,
      supply: { completeOnly: false, maxHops: null, sellers: null, authorizedOnly: false },
      sampling: 1,
      adLabel: false,
      syncUrl: null,
      simulated: false,
      maxAnswerBytes: null,
      qps: null,
      signature: null,
    });
  });

  it('of before its newer members is complete too', async () => {
    const old = { name: 'Old', defaultTmax: 80, networkAllowance: 5, billing: 'nurl' as const, seat: 's', simulated: false };
    await api.deps.things.put('exchange', 'old', old, { actor: 'test' });
    expect(live('old')).toMatchObject({ defaultTmax: 80, billing: 'nurl', seat: 's', bidsPerImp: 1, price: { kind: 'plain' } });
    expect(await api.ok('GET', '/v1/exchanges/old')).toMatchObject({ billing: 'nurl', sampling: 1, hasToken: false });
  });

  it('never shows its token and keys again, in no answer', async () => {
    const body = { name: 'Secret', token: TOKEN, priceFormat: 'google', priceKeys: KEYS };
    const answers = [
      await api.call('POST', '/v1/exchanges?validateOnly=true', { id: 'secret', ...body }),
      await api.call('POST', '/v1/exchanges', { id: 'secret', ...body }, { headers: { 'idempotency-key': 'once' } }),
      await api.call('POST', '/v1/exchanges', { id: 'secret', ...body }, { headers: { 'idempotency-key': 'once' } }),
      await api.call('GET', '/v1/exchanges/secret'),
      await api.call('GET', '/v1/exchanges'),
      await api.call('PATCH', '/v1/exchanges/secret?validateOnly=true', { priceKeys: KEYS }, ANY),
      await api.call('PATCH', '/v1/exchanges/secret', { seat: 'me' }, ANY),
      await api.call('PUT', '/v1/exchanges/secret', body, ANY),
    ];
    for (const answer of answers) {
      expect(answer.statusCode).toBeLessThan(300);
      for (const secret of SECRETS) expect(answer.body).not.toContain(secret);
    }
    expect(answers[3]?.json()).toMatchObject({ hasToken: true, hasPriceKeys: true });
    expect(live('secret')).toMatchObject({ tokenHash: SECRETS[3], price: { kind: 'google', ...KEYS } });
  });

  it('keeps its token and keys when it is sent back as it was read, and loses them when told to', async () => {
    await api.ok('POST', '/v1/exchanges', { id: 'kept', name: 'Kept', token: TOKEN, priceFormat: 'google', priceKeys: KEYS });
    await api.ok('PUT', '/v1/exchanges/kept', await api.ok('GET', '/v1/exchanges/kept'), ANY);
    expect(live('kept')).toMatchObject({ tokenHash: SECRETS[3], price: { kind: 'google' } });
    await api.ok('PATCH', '/v1/exchanges/kept', { token: '', priceFormat: 'plain' }, ANY);
    expect(live('kept')).toMatchObject({ tokenHash: null, price: { kind: 'plain' } });
    const response = await api.call('PATCH', '/v1/exchanges/kept', { priceFormat: 'google' }, ANY);
    expect(response.json().errors).toMatchObject([{ pointer: '/priceKeys', code: 'required' }]);
  });

  it('may sign its requests in place of a token: the secret is kept, never shown, and goes with the header', async () => {
    const secret = 'a secret of more than 16 letters'.replaceAll(' ', '-');
    const signed = { name: 'Signed', signatureHeader: 'x-signature', signatureSecret: secret };
    const { body } = await api.call('POST', '/v1/exchanges', { id: 'signed', ...signed });
    expect(body).not.toContain(secret);
    expect(JSON.parse(body)).toMatchObject({ signatureHeader: 'x-signature', hasSignatureSecret: true });
    await api.ok('PUT', '/v1/exchanges/signed', await api.ok('GET', '/v1/exchanges/signed'), ANY);
    expect(live('signed').signature).toEqual({ header: 'x-signature', secret });
    await api.ok('PATCH', '/v1/exchanges/signed', { signatureHeader: null }, ANY);
    expect(live('signed').signature).toBeNull();
    const again = await api.call('PATCH', '/v1/exchanges/signed', { signatureHeader: 'x-signature' }, ANY);
    expect(again.json().errors).toMatchObject([{ pointer: '/signatureSecret', code: 'required' }]);
  });

  it('has limits and an encoding of prices that reach the bidder', async () => {
    await api.ok('POST', '/v1/exchanges', { id: 'limits', name: 'L', qps: 500, maxAnswerBytes: 4_096, priceFormat: 'b64' });
    expect(live('limits')).toMatchObject({ qps: 500, maxAnswerBytes: 4_096, price: { kind: 'b64' } });
  });

  it.each([
    ['a signature without its secret', { signatureHeader: 'x-signature' }, '/signatureSecret required'],
    ['a header in capital letters', { signatureHeader: 'X-Sign', signatureSecret: 'x'.repeat(16) }, '/signatureHeader pattern'],
    ['a short secret', { signatureHeader: 'x-sign', signatureSecret: 'short' }, '/signatureSecret pattern'],
    ['no room for an answer', { maxAnswerBytes: 100 }, '/maxAnswerBytes minimum'],
    ['no request a second', { qps: 0 }, '/qps minimum'],
    ['a seat that PubMatic does not give', { preset: 'pubmatic', seat: 'walkin' }, '/seat pattern'],
    ['no seat at PubMatic', { preset: 'pubmatic' }, '/seat required'],
    ['a deadline that the network eats up', { networkAllowance: 100 }, '/networkAllowance maximum'],
    ['encrypted prices without keys', { priceFormat: 'google' }, '/priceKeys required'],
    ['a required seat that is not there', { requiredFields: ['seat'] }, '/seat required'],
    ['a field that no bid has', { requiredFields: ['colour'] }, '/requiredFields/0 enum'],
    ['a short token', { token: 'short' }, '/token pattern'],
    [
      'a key that is none',
      { priceKeys: { encryptionKey: 'x', integrityKey: KEYS.integrityKey } },
      '/priceKeys/encryptionKey pattern',
    ],
    ['a sync address without our id', { syncUrl: 'https://sync.example/?id=' }, '/syncUrl pattern'],
    ['a sync address that is not secure', { syncUrl: 'http://sync.example/?id=${WALKIN_UID}' }, '/syncUrl pattern'],
    ['half a bid', { bidsPerImp: 0.5 }, '/bidsPerImp type'],
    ['a share above one', { sampling: 1.5 }, '/sampling maximum'],
    ['an auction of an unknown type', { defaultAuction: 3 }, '/defaultAuction enum'],
    ['a chain of no hops', { supply: { maxHops: 0 } }, '/supply/maxHops minimum'],
    ['a preset that nobody made', { preset: 'acme' }, '/preset enum'],
  ])('with %s is refused', async (_, body, fault) => {
    const response = await api.call('POST', '/v1/exchanges', { id: 'bad', name: 'Bad', ...body });
    expect(response.statusCode).toBe(422);
    const { errors } = response.json() as { errors: { pointer: string; code: string }[] };
    expect(errors.map(({ pointer, code }) => `${pointer} ${code}`)).toContain(fault);
  });
});

describe('a preset', () => {
  it('is listed with its settings and notes', async () => {
    const { data } = await api.ok<{ data: { name: string; notes: string[] }[] }>('GET', '/v1/exchange-presets');
    expect(data.map(({ name }) => name)).toEqual([
      'google',
      'xandr',
      'magnite',
      'pubmatic',
      'openx',
      'index',
      'yandex',
      'prebid-server',
      'generic',
    ]);
    expect(data.every(({ notes }) => notes.length > 0)).toBe(true);
  });

  it('fills in what the body does not give', async () => {
    await api.ok('POST', '/v1/exchanges', { id: 'pm', name: 'P', preset: 'pubmatic', seat: '42', networkAllowance: 30 });
    expect(live('pm')).toMatchObject({
      bidsPerImp: 5,
      networkAllowance: 30,
      seat: '42',
      requiredFields: ['adomain', 'attr', 'cid', 'crid', 'iurl', 'seat'],
    });
    expect(await api.ok('GET', '/v1/exchanges/pm')).toMatchObject({ preset: 'pubmatic' });
  });

  it('may be put on an exchange that is there', async () => {
    await api.ok('POST', '/v1/exchanges', { id: 'later', name: 'L' });
    await api.ok('PATCH', '/v1/exchanges/later', { preset: 'openx' }, ANY);
    expect(live('later')).toMatchObject({ defaultTmax: 125, networkAllowance: 20 });
  });
});
