import type { Fault } from '../problem.ts';

/** Faults of an IANA zone's name. */
export function timeZoneFaults(zone: string, pointer: string): Fault[] {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone });
    return [];
  } catch {
    return [{ pointer, code: 'unknown_time_zone', message: `there is no time zone ${JSON.stringify(zone)}` }];
  }
}
