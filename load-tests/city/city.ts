import { type CityMap, drawMap } from './map.ts';
import type { CitySettings } from './settings.ts';
import { drawShopper, type Shopper } from './shoppers.ts';

export interface City {
  readonly settings: CitySettings;
  readonly map: CityMap;
  readonly shoppers: readonly Shopper[];
}

export function drawCity(settings: CitySettings): City {
  const map = drawMap(settings.seed);
  return { settings, map, shoppers: Array.from({ length: settings.shoppers }, (_, index) => drawShopper(settings, map, index)) };
}
