import { GppModel } from '@iabgpp/cmpapi';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readGpp } from '../../../proto/privacy/gpp.ts';
import { readCanada } from '../../../proto/privacy/gpp-canada.ts';
import { readUs } from '../../../proto/privacy/gpp-us.ts';
import { purposeBits } from '../../../proto/privacy/tcf.ts';
import { readUsPrivacy } from '../../../proto/privacy/us-privacy.ts';
import { gppString } from './strings.ts';

/** Section names of the library by id, with the place of precise geolocation (0 none) in its sensitive data. */
const US: Record<string, { id: number; location: number; apart?: boolean }> = {
  usnat: { id: 7, location: 8 },
  usca: { id: 8, location: 3 },
  usva: { id: 9, location: 8 },
  usco: { id: 10, location: 0 },
  usut: { id: 11, location: 8 },
  usct: { id: 12, location: 8 },
  usfl: { id: 13, location: 8 },
  usmt: { id: 14, location: 8 },
  usor: { id: 15, location: 11 },
  ustx: { id: 16, location: 8 },
  usde: { id: 17, location: 9 },
  usia: { id: 18, location: 8 },
  usne: { id: 19, location: 8 },
  usnh: { id: 20, location: 8 },
  usnj: { id: 21, location: 8 },
  ustn: { id: 22, location: 8 },
  usmn: { id: 23, location: 8 },
  usmd: { id: 24, location: 0 },
  usin: { id: 25, location: 8 },
  usky: { id: 26, location: 8 },
  usri: { id: 27, location: 8 },
};
const OPT_OUTS = ['SaleOptOut', 'SharingOptOut', 'TargetedAdvertisingOptOut'];
const SENSITIVE = 'SensitiveDataProcessing';
const CHILD = 'KnownChildSensitiveDataConsents';

function sectionOf(text: string, id: number): string {
  const sections = readGpp(text);
  expect(sections).not.toBeNull();
  return sections?.get(id) ?? '';
}

describe('a GPP string', () => {
  it('is parted into its sections', () => {
    expect(readGpp('DBACNYA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN')).toEqual(
      new Map([
        [2, 'CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA'],
        [6, '1YNN'],
      ]),
    );
    expect(readGpp('DBABMA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA')?.get(2)).toMatch(/^CPX/);
  });

  it('with neighbouring sections is parted as the library wrote it', () => {
    const text = gppString({
      uspv1: {},
      usnat: { SaleOptOut: 2 },
      usca: { SaleOptOut: 2 },
      usva: { SaleOptOut: 1 },
      usnj: { SaleOptOut: 1 },
    });
    const model = new GppModel(text);
    expect([...(readGpp(text)?.keys() ?? [])]).toEqual(model.getSectionIds());
  });

  it('is refused where the header is not one, or lists other sections than follow', () => {
    for (const text of [
      'gppString',
      'header~1YNN',
      'DBACNYA~only',
      'DBAA~1YNN',
      '~',
      'CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA',
    ])
      expect(readGpp(text)).toBeNull();
  });

  it('never throws and never takes long, whatever it is', () => {
    const since = performance.now();
    readGpp(`DB${'_'.repeat(2)}${'A'.repeat(8_000)}`);
    readGpp(`DBB${'A'.repeat(40)}D${'_'.repeat(100)}~x`);
    expect(performance.now() - since).toBeLessThan(50);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.integer({ min: 0, max: 40 }), (junk, section) => {
        readGpp(junk);
        readGpp(`DBAB${junk}`);
        readUs(section, junk);
        readCanada(junk, 42);
        readUsPrivacy(junk);
      }),
      { numRuns: 2_000, seed: 3 },
    );
  });
});

describe('a US section', () => {
  for (const [name, { id, location }] of Object.entries(US)) {
    it(`${name} is read as the library writes it`, () => {
      const model = new GppModel();
      model.setFieldValue(name, 'SaleOptOut', 2);
      const fields = [...OPT_OUTS, SENSITIVE, CHILD].filter((field) => model.hasField(name, field));
      const lengths = Object.fromEntries(fields.map((field) => [field, model.getFieldValue(name, field) as number[] | number]));
      const value = fc.integer({ min: 0, max: 2 });
      const given = fc.record(
        Object.fromEntries(
          fields.map((field) => {
            const now = lengths[field];
            return [field, Array.isArray(now) ? fc.array(value, { minLength: now.length, maxLength: now.length }) : value];
          }),
        ),
      );
      fc.assert(
        fc.property(given, fc.boolean(), (values, gpc) => {
          const says = model.hasField(name, 'Gpc') ? { ...values, Gpc: gpc, GpcSegmentIncluded: true } : values;
          const read = readUs(id, sectionOf(gppString({ [name]: says }), id));
          const all = says as Record<string, number | number[] | boolean>;
          const sensitive = all[SENSITIVE] as number[] | undefined;
          expect(read).toEqual({
            optedOut: OPT_OUTS.some((field) => all[field] === 1) || all['Gpc'] === true,
            refusesLocation: location > 0 && sensitive?.[location - 1] === 1,
            knownChild: [all[CHILD] ?? 0].flat().some((item) => item !== 0),
          });
        }),
        { numRuns: 40, seed: 3 },
      );
    });
  }

  it('of the first national version has fewer items', () => {
    const read = readUs(
      7,
      sectionOf(
        gppString({ usnat: { Version: 1, SensitiveDataProcessing: [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0] } }),
        7,
      ),
    );
    expect(read).toEqual({ optedOut: false, refusesLocation: true, knownChild: false });
  });

  it('cut short, of an unknown version or with an impossible value is a refusal', () => {
    expect(readUs(7, 'BVVVVVVVVWA.QA')).not.toBeNull();
    for (const text of ['', 'B', 'BVVVV', 'FVVVVVVVVWA', 'B____________', 'BVVVVVVVVWA.']) expect(readUs(7, text)).toBeNull();
    expect(readUs(99, 'BVVVVVVVVWA')).toBeNull();
  });
});

describe('the Canadian section', () => {
  const canada = (fields: Record<string, unknown>) => sectionOf(gppString({ tcfcav1: fields }), 5);
  const flags = (length: number, ...on: number[]) => Array.from({ length }, (_, at) => on.includes(at + 1));

  it('allows what was consented to expressly or by implication', () => {
    for (const vendors of [[42], [3, 41, 42, 43, 900], [42, 60_000]]) {
      const text = canada({
        PurposesExpressConsent: flags(24, 1, 2),
        PurposesImpliedConsent: flags(24, 3, 4, 7),
        SpecialFeatureExpressConsent: flags(12, 1),
        VendorImpliedConsent: vendors,
      });
      expect(readCanada(text, 42)).toEqual({ purposes: purposeBits(1, 2, 3, 4, 7), preciseLocation: true });
      expect(readCanada(text, 44)).toEqual({ purposes: 0, preciseLocation: true });
    }
  });
});

describe('us_privacy', () => {
  it('opts out by its third character, and is refused where it is not one', () => {
    const said = (text: string) => readUsPrivacy(text);
    expect([said(''), said('1---'), said('1YNN'), said('1YN-'), said('1YYN'), said('1yyn')]).toEqual([
      'none',
      'none',
      'allowed',
      'allowed',
      'opted_out',
      'opted_out',
    ]);
    for (const text of ['1', 'uspConsentString', '2YNN', '1YNNN', 'us_privacy']) expect(said(text)).toBe('unreadable');
  });
});
