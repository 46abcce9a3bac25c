import type { Level } from '../identity/kinds.ts';

/** Below a person and above it the group stands in for the profile, so that all leaves count by it. */
export const UNIT_OF: Readonly<Record<Level, string>> = { device: 'device', person: 'profile', household: 'household' };
