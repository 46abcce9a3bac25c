import type { Preset } from './preset.ts';
import type { PresetName } from './preset-name.ts';
import { generic } from './presets/generic.ts';
import { google } from './presets/google.ts';
import { index } from './presets/index-exchange.ts';
import { magnite } from './presets/magnite.ts';
import { openx } from './presets/openx.ts';
import { prebidServer } from './presets/prebid-server.ts';
import { pubmatic } from './presets/pubmatic.ts';
import { xandr } from './presets/xandr.ts';
import { yandex } from './presets/yandex.ts';

export const PRESETS: Readonly<Record<PresetName, Preset>> = {
  google,
  xandr,
  magnite,
  pubmatic,
  openx,
  index,
  yandex,
  'prebid-server': prebidServer,
  generic,
};

/** Fills in the members of the preset that the body names and does not give itself. */
export function withPreset(body: Record<string, unknown>): void {
  const { preset: name } = body;
  if (typeof name !== 'string' || !Object.hasOwn(PRESETS, name)) return;
  const settings = structuredClone(PRESETS[name as PresetName].settings) as Record<string, unknown>;
  for (const [member, value] of Object.entries(settings)) body[member] ??= value;
}
