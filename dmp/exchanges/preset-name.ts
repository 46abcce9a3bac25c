/** The exchanges that Walkin knows the settings of. */
export const PRESET_NAMES = [
  'google',
  'xandr',
  'magnite',
  'pubmatic',
  'openx',
  'index',
  'yandex',
  'prebid-server',
  'generic',
] as const;
export type PresetName = (typeof PRESET_NAMES)[number];
