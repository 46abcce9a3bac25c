import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

const rates = { at: '2026-01-02T00:00:00Z', perUsd: { EUR: 0.9, JPY: 150 } };

test('rates are published, and only newer ones replace them', async () => {
  expect((await api.call('GET', '/v1/rates')).statusCode).toBe(404);
  expect(await api.ok('PUT', '/v1/rates', rates)).toEqual({ ...rates, base: 'USD' });
  const older = { at: '2026-01-01T00:00:00Z', perUsd: { EUR: 7 } };
  expect(await api.ok('PUT', '/v1/rates', older)).toMatchObject(rates);
  const newer = { at: '2026-01-03T00:00:00Z', perUsd: { EUR: 0.8 } };
  expect(await api.ok('PUT', '/v1/rates', newer)).toMatchObject(newer);
  expect(await api.ok('GET', '/v1/rates')).toMatchObject(newer);
});

test('rates that are none are refused', async () => {
  for (const [body, fault] of [
    [{ ...rates, perUsd: { EUR: 0 } }, '/perUsd/EUR minimum'],
    [{ ...rates, perUsd: { euro: 1 } }, '/perUsd/euro unknown_property'],
    [{ ...rates, perUsd: {} }, '/perUsd too_few_properties'],
    [{ ...rates, base: 'EUR' }, '/base enum'],
    [{ ...rates, at: '2999-01-01T00:00:00Z' }, '/at bad_time'],
  ] as const) {
    const reply = await api.call('PUT', '/v1/rates', body);
    expect(reply.json().errors.map((one: { pointer: string; code: string }) => `${one.pointer} ${one.code}`)).toEqual([fault]);
  }
});
