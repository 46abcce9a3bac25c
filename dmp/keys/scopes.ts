/** What a key may do. `admin` may do everything; the others are `<nouns>:read` and `<nouns>:write`. */
export const SCOPES = [
  'admin',
  'advertisers:read',
  'advertisers:write',
  'stores:read',
  'stores:write',
  'geofences:read',
  'geofences:write',
  'sources:read',
  'sources:write',
  'segments:read',
  'segments:write',
  'campaigns:read',
  'campaigns:write',
  'events:write',
  'imports:read',
  'imports:write',
  'quarantine:read',
  'jobs:read',
  'jobs:write',
  'snapshot:read',
  'reports:read',
  'debug:read',
  'audit:read',
  'exchanges:read',
] as const;

export type Scope = (typeof SCOPES)[number];
