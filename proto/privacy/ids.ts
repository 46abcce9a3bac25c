import { normalizeIdentifier } from '../identifier.ts';

export interface DeviceSignals {
  /** Lower case. */
  readonly os: string;
  readonly inApp: boolean;
  readonly ifa: string;
  readonly lmt: boolean;
  readonly dnt: boolean;
  /** iOS App Tracking Transparency: 0 not determined, 1 restricted, 2 denied, 3 authorised, null unknown. */
  readonly atts: number | null;
}

/**
 * Whether the person limits tracking: says so, or the device does by Apple's tracking state or by an advertising id that names
 * nobody. On iOS an app without the id has not asked or was refused, also where the state is not told (iOS 14.0 and 14.1).
 */
export function limitsTracking({ os, inApp, ifa, lmt, dnt, atts }: DeviceSignals): boolean {
  if (lmt || dnt || isZeroed(ifa)) return true;
  if (atts !== null) return atts !== 3;
  return os === 'ios' && inApp && ifa === '';
}

/** Zeros, one repeated character, a placeholder or a macro that was never filled in. */
function isZeroed(ifa: string): boolean {
  return ifa !== '' && normalizeIdentifier('ifa', ifa) === null;
}
