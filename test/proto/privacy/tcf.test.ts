import { TCString } from '@iabtechlabtcf/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { purposeBits, readTcf } from '../../../proto/privacy/tcf.ts';
import { tcString } from './strings.ts';

const OURS = 42;
const ALL = [1, 2, 3, 4, 7];
const full = { purposes: ALL, features: [1], vendors: [OURS], disclosed: [OURS] };

describe('a TCF string', () => {
  it('allows our vendor what was consented to', () => {
    expect(readTcf(tcString(full), OURS)).toEqual({
      vendor: 'allowed',
      purposes: purposeBits(...ALL),
      preciseLocation: true,
    });
  });

  it('of the specification’s own example allows purposes 1 to 3 to vendors 2, 6 and 8', () => {
    const text = 'COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA';
    for (const vendor of [2, 6, 8])
      expect(readTcf(text, vendor)).toEqual({ vendor: 'allowed', purposes: purposeBits(1, 2, 3), preciseLocation: false });
    expect(readTcf(text, 3)).toMatchObject({ vendor: 'refused', purposes: 0 });
    // Its disclosed vendors are others.
    const disclosed =
      'IFoEUQQgAIQwgIwQABAEAAAAOIAACAIAAAAQAIAgEAACEAAAAAgAQBAAAAAAAGBAAgAAAAAAAFAAECAAAgAAQARAEQAAAAAJAAIAAgAAAYQEAAAQmAgBC3ZAYzUw';
    for (const vendor of [2, 6, 8, 79])
      expect(readTcf(`${text}.${disclosed}`, vendor)).toEqual(byLibrary(`${text}.${disclosed}`, vendor));
  });

  it('allows nothing to a vendor that it does not name, and nothing where we are no vendor', () => {
    expect(readTcf(tcString(full), 43)).toMatchObject({ vendor: 'not_disclosed', purposes: 0 });
    expect(readTcf(tcString({ ...full, disclosed: [OURS, 43] }), 43)).toMatchObject({ vendor: 'refused', purposes: 0 });
    expect(readTcf(tcString(full), 0)).toMatchObject({ vendor: 'refused', purposes: 0 });
  });

  it('since March 2026 counts only where it says who was disclosed, and our vendor was', () => {
    const before = new Date(Date.UTC(2026, 1, 28));
    const since = new Date(Date.UTC(2026, 2, 1));
    expect(readTcf(tcString({ ...full, disclosed: null, created: before }), OURS)).toMatchObject({ vendor: 'allowed' });
    expect(readTcf(tcString({ ...full, disclosed: null, created: since }), OURS)).toMatchObject({ vendor: 'not_disclosed' });
    expect(readTcf(tcString({ ...full, disclosed: [1], created: before }), OURS)).toMatchObject({ vendor: 'not_disclosed' });
  });

  it('is heard in publisher restrictions before anything else', () => {
    const restricted = (type: number, more: object = {}) =>
      readTcf(tcString({ ...full, ...more, restrictions: [{ purpose: 2, type, vendors: [OURS] }] }), OURS)?.purposes;
    expect(restricted(0)).toBe(purposeBits(1, 3, 4, 7));
    expect(restricted(1)).toBe(purposeBits(...ALL));
    expect(restricted(2)).toBe(purposeBits(1, 3, 4, 7));
    expect(restricted(2, { interests: [2], interestVendors: [OURS] })).toBe(purposeBits(...ALL));
    const others = { ...full, restrictions: [{ purpose: 2, type: 0, vendors: [OURS + 1] }] };
    expect(readTcf(tcString(others), OURS)?.purposes).toBe(purposeBits(...ALL));
  });

  it('may not rest a profile on legitimate interest', () => {
    const interests = { ...full, interests: [2, 7, 8], interestVendors: [OURS] };
    const text = tcString({ ...interests, restrictions: [3, 4].map((purpose) => ({ purpose, type: 2, vendors: [OURS] })) });
    expect(readTcf(text, OURS)?.purposes).toBe(purposeBits(1, 2, 7));
  });

  it('is read in each policy version from 2 on', () => {
    for (const policy of [2, 3, 4, 5, 6])
      expect(readTcf(tcString({ ...full, policy }), OURS)).toMatchObject({ vendor: 'allowed' });
    expect(readTcf(tcString({ ...full, policy: 1 }), OURS)).toBeNull();
  });

  it('of version 1, cut short or not in the alphabet is a refusal', () => {
    const text = tcString(full);
    const [core = ''] = text.split('.');
    for (const broken of [
      '',
      'BOPVK28OPVK28ABABAENA8-AAAADkCNQCGoQAAQ',
      core.slice(0, 30),
      `${core.slice(0, 30)}!`,
      ' ',
      '.',
      'C',
    ])
      expect(readTcf(broken, OURS)).toBeNull();
    expect(readTcf(`${core}.I`, OURS)).toBeNull();
  });

  it('says the same to us as to the library of the IAB', () => {
    const ids = fc.uniqueArray(fc.integer({ min: 1, max: 400 }), { maxLength: 200 });
    const purposes = fc.uniqueArray(fc.integer({ min: 1, max: 11 }));
    const given = fc.record({
      purposes,
      interests: purposes,
      features: fc.constantFrom([], [1]),
      vendors: ids,
      interestVendors: ids,
      disclosed: ids,
      restrictions: fc.array(
        fc.record({
          purpose: fc.integer({ min: 1, max: 11 }),
          type: fc.constantFrom(0, 1, 2),
          vendors: fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
        }),
        { maxLength: 4 },
      ),
    });
    fc.assert(
      fc.property(given, fc.integer({ min: 1, max: 60 }), (consent, vendor) => {
        const text = tcString(consent);
        expect(readTcf(text, vendor)).toEqual(byLibrary(text, vendor));
      }),
      { numRuns: 150, seed: 3 },
    );
  });

  it('never throws and never takes long, whatever it is', () => {
    const [core = ''] = tcString(full).split('.');
    // 4,095 ranges over all ids.
    const hostile = `${core.slice(0, 35)}${'_'.repeat(8_000)}`;
    const since = performance.now();
    readTcf(hostile, OURS);
    expect(performance.now() - since).toBeLessThan(50);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.nat(core.length), (junk, at) => {
        readTcf(junk, OURS);
        readTcf(core.slice(0, at) + junk + core.slice(at), OURS);
      }),
      { numRuns: 2_000, seed: 3 },
    );
  });
});

function byLibrary(text: string, vendor: number) {
  const model = TCString.decode(text);
  let purposes = 0;
  for (const purpose of [...Array(24).keys()].map((at) => at + 1)) {
    const types = model.publisherRestrictions
      .getRestrictions(vendor)
      .filter(({ purposeId }) => purposeId === purpose)
      .map(({ restrictionType }) => Number(restrictionType));
    const consented = model.vendorConsents.has(vendor) && model.purposeConsents.has(purpose);
    const interested =
      model.vendorLegitimateInterests.has(vendor) &&
      model.purposeLegitimateInterests.has(purpose) &&
      ![1, 3, 4, 5, 6].includes(purpose);
    if (types.includes(0) || (types.includes(1) && types.includes(2))) continue;
    if (types.includes(2) ? interested : consented) purposes |= 1 << purpose;
  }
  const isNamed = model.vendorConsents.has(vendor) || model.vendorLegitimateInterests.has(vendor);
  const preciseLocation = model.specialFeatureOptins.has(1);
  if (!model.vendorsDisclosed.has(vendor)) return { vendor: 'not_disclosed', purposes: 0, preciseLocation };
  return { vendor: isNamed ? 'allowed' : 'refused', purposes, preciseLocation };
}
