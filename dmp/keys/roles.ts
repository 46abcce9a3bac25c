import type { Scope } from './scopes.ts';

/** Sets of scopes by what somebody does. A key's scopes are those of its role and those that it names. */
export const ROLES = {
  admin: ['admin'],
  marketer: [
    'advertisers:read',
    'stores:read',
    'stores:write',
    'geofences:read',
    'geofences:write',
    'segments:read',
    'segments:write',
    'campaigns:read',
    'campaigns:write',
    'sources:read',
    'snapshot:read',
    'reports:read',
    'jobs:read',
    'destinations:read',
    'destinations:write',
  ],
  analyst: [
    'advertisers:read',
    'stores:read',
    'geofences:read',
    'segments:read',
    'campaigns:read',
    'sources:read',
    'snapshot:read',
    'reports:read',
    'jobs:read',
  ],
  data_owner: [
    'advertisers:read',
    'stores:read',
    'segments:read',
    'sources:read',
    'sources:write',
    'events:write',
    'imports:read',
    'imports:write',
    'quarantine:read',
    'jobs:read',
    'jobs:write',
    'reports:read',
    'audit:read',
    'consents:read',
    'consents:write',
    'privacy:write',
    'profiles:read',
  ],
  exchange: ['exchanges:read'],
  // For pages: whoever reads it out of them can only ask what the pages may.
  publishable: ['memberships:read'],
} as const satisfies Readonly<Record<string, readonly Scope[]>>;

export type Role = keyof typeof ROLES;
export const ROLE_NAMES = Object.keys(ROLES) as [Role, ...Role[]];

export function scopesOf(role: Role | null | undefined, scopes: readonly Scope[]): readonly Scope[] {
  return role === null || role === undefined ? scopes : [...new Set<Scope>([...ROLES[role], ...scopes])];
}
