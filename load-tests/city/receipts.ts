import { basketOf, type Outing } from './causal.ts';
import type { CityPing } from './pings.ts';
import { type CitySettings, MINUTE } from './settings.ts';
import { identifiersOf, type Shopper } from './shoppers.ts';

/** Events as `POST /v1/events` takes them. Each has a natural key, so sending one again changes nothing. */
export type CityEvent = Readonly<Record<string, unknown>>;

/** The till slip of a visit, or null where nothing was bought or no card was shown. */
export function receiptOf(settings: CitySettings, shopper: Shopper, outing: Outing): CityEvent | null {
  const lines = basketOf(settings, outing);
  if (lines.length === 0 || shopper.loyalty === null) return null;
  return {
    type: 'purchase',
    id: `r-${outing.shopper}-${outing.day}`,
    at: new Date(tillTime(outing)).toISOString(),
    identifiers: [{ kind: 'loyalty', value: shopper.loyalty }],
    store: outing.store.id,
    currency: 'USD',
    lines: lines.map((line, index) => ({ line: String(index + 1), ...line })),
  };
}

export function tillTime(outing: Outing): number {
  return outing.until - 2 * MINUTE;
}

export function pingEvent(shopper: Shopper, ping: CityPing): CityEvent {
  return {
    type: 'ping',
    at: new Date(ping.at).toISOString(),
    identifiers: [{ kind: 'ifa', value: shopper.ifa }],
    lat: ping.lat,
    lon: ping.lon,
    accuracy: ping.accuracy,
    locationType: 1,
    consent: true,
  };
}

/** Names all identifiers of a shopper together; null where there is none. */
export function identifyEvent(shopper: Shopper, exchange: string, at: number): CityEvent | null {
  const identifiers = identifiersOf(shopper, exchange);
  if (identifiers.length === 0) return null;
  const attributes = { role: shopper.index % 50 === 49 ? 'staff' : 'customer' };
  return { type: 'identify', at: new Date(at).toISOString(), identifiers, attributes };
}
