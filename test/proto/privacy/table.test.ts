import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createConsents, type Permission, type PrivacySignals, permissionFor } from '../../../proto/privacy/permission.ts';
import { PRIVACY_REASONS, type PrivacyReason, TABLE } from '../../../proto/privacy/table.ts';
import { gppString, tcString } from './strings.ts';

const OURS = 42;
const consents = createConsents(OURS);
const NOTHING_SAID: PrivacySignals = {
  coppa: false,
  gdpr: null,
  country: 'USA',
  consent: '',
  usPrivacy: '',
  gpp: '',
  gppSections: [],
  gpc: false,
  limited: false,
};

function permission(signals: Partial<PrivacySignals>): Permission {
  return permissionFor({ ...NOTHING_SAID, ...signals }, consents);
}

/** GDPR applies, and all is allowed but what is left out. */
function gdpr(given: Parameters<typeof tcString>[0] = {}): Partial<PrivacySignals> {
  const all = { purposes: [1, 2, 3, 4, 7], features: [1], vendors: [OURS], disclosed: [OURS] };
  return { gdpr: true, consent: tcString({ ...all, ...given }) };
}

const flags = (length: number, ...on: number[]) => Array.from({ length }, (_, at) => on.includes(at + 1));
const canada = (given: Record<string, unknown> = {}): Partial<PrivacySignals> => ({
  gpp: gppString({
    tcfcav1: {
      PurposesExpressConsent: flags(24, 1, 2, 3, 4, 7),
      SpecialFeatureExpressConsent: flags(12, 1),
      VendorExpressConsent: [OURS],
      ...given,
    },
  }),
  gppSections: [5],
});
const us = (fields: Record<string, unknown>): Partial<PrivacySignals> => ({
  gpp: gppString({ usnat: fields }),
  gppSections: [7],
});

/** For each row what brings it about, alone. */
const CASES: Record<PrivacyReason, Partial<PrivacySignals>[]> = {
  unrestricted: [
    {},
    { gdpr: false, country: 'DEU' },
    { usPrivacy: '1YNN' },
    { usPrivacy: '1---' },
    us({ SaleOptOut: 2 }),
    canada(),
  ],
  gdpr_consent: [gdpr(), { ...gdpr(), gdpr: null, country: 'FRA' }, { gpp: gppOf(gdpr()), gppSections: [2] }],
  us_sensitive_location: [us({ SensitiveDataProcessing: flags(16, 8).map(Number) })],
  canada_no_precise_location: [canada({ SpecialFeatureExpressConsent: flags(12) })],
  gdpr_no_precise_location: [gdpr({ features: [] })],
  gdpr_no_measurement: [gdpr({ purposes: [1, 2, 3, 4] })],
  gdpr_no_profile: [gdpr({ purposes: [1, 2, 3, 7] }), gdpr({ purposes: [1, 2, 4, 7] }), gdpr({ purposes: [1, 2, 7] })],
  limited_tracking: [{ limited: true }],
  us_opt_out: [{ usPrivacy: '1YYN' }, { gpp: 'DBABTA~1YYN', gppSections: [6] }],
  us_unreadable: [{ usPrivacy: 'yes' }],
  gpc: [{ gpc: true }],
  gpp_opt_out: [
    us({ SaleOptOut: 1 }),
    us({ SharingOptOut: 1 }),
    us({ TargetedAdvertisingOptOut: 1 }),
    us({ SaleOptOut: 2, GpcSegmentIncluded: true, Gpc: true }),
  ],
  gpp_unreadable: [
    { gpp: 'gppString', gppSections: [7] },
    { gpp: '', gppSections: [8] },
    { gpp: gppString({ usca: { SaleOptOut: 2 } }), gppSections: [7] },
    { gpp: gppString({ usca: { SaleOptOut: 2 } }), gppSections: [99] },
  ],
  canada_refused: [canada({ VendorExpressConsent: [] }), canada({ PurposesExpressConsent: flags(24, 1, 2, 3) })],
  gdpr_no_storage: [gdpr({ purposes: [2, 3, 4, 7] })],
  known_child: [us({ KnownChildSensitiveDataConsents: [0, 1, 0] }), us({ KnownChildSensitiveDataConsents: [2, 0, 0] })],
  coppa: [{ coppa: true }],
  gdpr_no_ads: [gdpr({ purposes: [1, 3, 4, 7] })],
  gdpr_vendor_refused: [gdpr({ vendors: [7] })],
  gdpr_not_disclosed: [gdpr({ disclosed: [7] }), gdpr({ disclosed: null })],
  gdpr_no_string: [{ gdpr: true }, { country: 'DEU' }, { gpp: '', gppSections: [2] }],
  gdpr_unreadable: [
    { gdpr: true, consent: 'consent' },
    { gpp: 'DBABMA~junk', gppSections: [2] },
  ],
};

function gppOf({ consent = '' }: Partial<PrivacySignals>): string {
  return `DBABMA~${consent}`;
}

describe('the table of privacy', () => {
  for (const reason of PRIVACY_REASONS) {
    it(`leaves what it says: ${TABLE[reason].when}`, () => {
      const { bid, identifiers, profile, caps, location, measure, sync } = TABLE[reason];
      for (const signals of CASES[reason])
        expect(permission(signals)).toEqual({
          bid: bid !== 'no',
          childOnly: bid === 'child_safe',
          identifiers: identifiers && measure,
          profile,
          caps: caps === 'no' ? null : caps,
          preciseLocation: location !== 'no',
          storeLocation: location === 'kept',
          measure,
          sync,
          why: reason,
        });
    });
  }

  it('is the one in the docs', () => {
    const file = new URL('../../../docs/privacy.md', import.meta.url);
    const text = readFileSync(file, 'utf8');
    const [before = '', , after = ''] = text.split(/<!-- table(?: end)? -->/);
    const written = `${before}<!-- table -->\n\n${printed()}\n<!-- table end -->${after}`;
    if (process.env['WALKIN_WRITE_DOCS'] === '1') writeFileSync(file, written);
    expect(text).toBe(written);
  });

  it('leaves of two situations only what both leave, whichever comes first', () => {
    for (const a of PRIVACY_REASONS)
      for (const b of PRIVACY_REASONS) {
        const signals = { ...CASES[a][0], ...CASES[b][0] };
        if (Object.keys(CASES[a][0] ?? {}).some((name) => name in (CASES[b][0] ?? {}))) continue;
        const [both, one, other] = [permission(signals), permission(CASES[a][0] ?? {}), permission(CASES[b][0] ?? {})];
        for (const what of ['bid', 'profile', 'identifiers', 'preciseLocation', 'storeLocation', 'measure', 'sync'] as const)
          expect(both[what], `${a} and ${b}: ${what}`).toBe(one[what] && other[what]);
        expect(both.childOnly).toBe(both.bid && (one.childOnly || other.childOnly));
      }
  });

  it('counts nobody where one law allows our own id only and the person only the exchange’s', () => {
    expect(permission({ limited: true, usPrivacy: '1YYN' }).caps).toBeNull();
    expect(permission({ ...gdpr(), limited: true }).caps).toBe('day');
  });

  it('asks for both strings where there are two', () => {
    expect(permission({ ...gdpr({ purposes: [1, 2, 7] }), gpp: gppOf(gdpr()), gppSections: [2] }).why).toBe('gdpr_no_profile');
    expect(permission({ ...gdpr(), gpp: gppOf(gdpr({ vendors: [] })), gppSections: [2] }).bid).toBe(false);
  });

  it('ignores sections that do not apply', () => {
    const gpp = gppString({ usnat: { SaleOptOut: 1 }, usca: { SaleOptOut: 2 } });
    expect(permission({ gpp, gppSections: [8] }).why).toBe('unrestricted');
    expect(permission({ gpp, gppSections: [] }).why).toBe('unrestricted');
  });

  it('leaves contextual ads without consent where the operator wants them, and no more', () => {
    const own = createConsents(OURS, true);
    const contextual = (signals: Partial<PrivacySignals>) => permissionFor({ ...NOTHING_SAID, ...signals }, own);
    for (const reason of ['gdpr_no_string', 'gdpr_unreadable', 'gdpr_vendor_refused', 'gdpr_not_disclosed'] as const)
      expect(contextual(CASES[reason][0] ?? {})).toEqual({
        ...permission({ coppa: true }),
        childOnly: false,
        why: reason,
      });
    expect(contextual(CASES.gdpr_no_ads[0] ?? {}).bid).toBe(false);
    expect(contextual({ gdpr: true, coppa: true })).toMatchObject({ bid: true, childOnly: true });
  });

  it('never throws, whatever the strings are', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('__proto__', 'constructor', 'C', 'DBABMA~', '1YNN', '~~~', '...'),
    );
    fc.assert(
      fc.property(text, text, text, fc.array(fc.integer({ min: -1, max: 40 })), (consent, gpp, usPrivacy, gppSections) => {
        for (const gdpr of [true, false, null])
          expect(PRIVACY_REASONS).toContain(permission({ gdpr, consent, gpp, usPrivacy, gppSections }).why);
      }),
      { numRuns: 2_000, seed: 3 },
    );
  });

  it('costs less than two microseconds where the string is known', () => {
    const signals = { ...NOTHING_SAID, ...gdpr() };
    for (let i = 0; i < 20_000; i++) permissionFor(signals, consents);
    const since = performance.now();
    for (let i = 0; i < 100_000; i++) permissionFor(signals, consents);
    const micros = (performance.now() - since) / 100;
    // Ten times the promise, for a machine that is busy with other tests.
    expect(micros).toBeLessThan(20);
  });
});

function printed(): string {
  const yes = (is: boolean) => (is ? 'yes' : 'no');
  const rows = PRIVACY_REASONS.map((reason) => {
    const { when, bid, identifiers, profile, caps, location, measure, sync } = TABLE[reason];
    const cells = [bid.replace('_', '-'), yes(profile), caps, location, yes(identifiers && measure), yes(measure), yes(sync)];
    return `| ${when} | ${remains(reason)} | ${cells.join(' | ')} | \`${reason}\` |`;
  });
  const names = ['situation', 'remains', 'bid', 'profile', 'caps', 'place', 'named', 'measured', 'sync', 'reason'];
  return `| ${names.join(' | ')} |\n|${'---|'.repeat(names.length)}\n${rows.join('\n')}\n`;
}

function remains(reason: PrivacyReason): string {
  const { bid, profile, location } = TABLE[reason];
  if (bid === 'no') return 'no bid';
  if (bid === 'child_safe') return 'contextual only, child-safe ads';
  if (!profile) return 'contextual only';
  return location === 'no' ? 'no precise location' : 'full';
}
