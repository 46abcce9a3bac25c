import type { Fault } from '../problem.ts';
import type { Exchange, ExchangeInput } from './exchange.ts';

export function checkExchange(exchange: ExchangeInput, current: Exchange | undefined): Fault[] {
  return [...deadlineFaults(exchange), ...keyFaults(exchange, current), ...seatFaults(exchange), ...syncFaults(exchange)];
}

function deadlineFaults({ defaultTmax, networkAllowance }: ExchangeInput): Fault[] {
  if (networkAllowance < defaultTmax) return [];
  return [{ pointer: '/networkAllowance', code: 'maximum', message: `must be below defaultTmax (${defaultTmax})` }];
}

function keyFaults({ priceFormat, priceKeys }: ExchangeInput, current: Exchange | undefined): Fault[] {
  if (priceFormat === 'plain' || priceKeys !== undefined || (current?.keys ?? null) !== null) return [];
  return [{ pointer: '/priceKeys', code: 'required', message: 'encrypted prices need their keys' }];
}

function seatFaults({ requiredFields, seat }: ExchangeInput): Fault[] {
  if (seat !== null || !requiredFields.includes('seat')) return [];
  return [{ pointer: '/seat', code: 'required', message: 'the exchange drops bids without a seat' }];
}

function syncFaults({ syncUrl }: ExchangeInput): Fault[] {
  if (syncUrl === null || syncUrl.includes('${WALKIN_UID}')) return [];
  return [{ pointer: '/syncUrl', code: 'pattern', message: 'must hold ${WALKIN_UID}, where our id belongs' }];
}
