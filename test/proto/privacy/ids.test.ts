import { describe, expect, it } from 'vitest';
import { type DeviceSignals, limitsTracking } from '../../../proto/privacy/ids.ts';

const IFA = '6f2b1c0e-7d2a-4d57-9b1a-0b6a5c4d3e2f';
const phone: DeviceSignals = { os: 'ios', inApp: true, ifa: IFA, lmt: false, dnt: false, atts: null };
const limits = (given: Partial<DeviceSignals>) => limitsTracking({ ...phone, ...given });

describe('a device limits tracking', () => {
  it('where it or its owner says so', () => {
    expect([limits({}), limits({ lmt: true }), limits({ dnt: true })]).toEqual([false, true, true]);
  });

  it('by Apple’s tracking state, unless that is authorised', () => {
    expect([0, 1, 2, 3].map((atts) => limits({ atts }))).toEqual([true, true, true, false]);
    expect(limits({ atts: 3, lmt: true })).toBe(true);
  });

  it('by an advertising id that names nobody', () => {
    const zeroed = [
      '00000000-0000-0000-0000-000000000000',
      '0'.repeat(32),
      'ffffffff-ffff',
      'null',
      'undefined',
      '${IFA}',
      '{{ifa}}',
    ];
    for (const ifa of zeroed) expect(limits({ ifa, atts: 3 }), ifa).toBe(true);
  });

  it('by a missing id in an app on iOS, where the state is not told', () => {
    expect(limits({ ifa: '' })).toBe(true);
    expect(limits({ ifa: '', atts: 3 })).toBe(false);
    expect(limits({ ifa: '', inApp: false })).toBe(false);
    expect(limits({ ifa: '', os: 'android' })).toBe(false);
  });
});
