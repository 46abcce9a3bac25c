import type { Things } from '../things/things.ts';

/** Exchanges by creative where it waits or was refused. Where an exchange said nothing the creative may be bid. */
export function blockedExchanges(things: Things, now: number): ReadonlyMap<string, readonly string[]> {
  const blocked = new Map<string, string[]>();
  for (const { body } of things.list('approval')) {
    if (body.state === 'approved' || (body.retry !== null && body.retry.at <= now)) continue;
    const exchanges = blocked.get(body.creative);
    if (exchanges === undefined) blocked.set(body.creative, [body.exchange]);
    else exchanges.push(body.exchange);
  }
  return blocked;
}
