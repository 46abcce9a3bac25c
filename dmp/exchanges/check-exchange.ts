import type { Fault } from '../problem.ts';
import type { Exchange, ExchangeInput } from './exchange.ts';

export function checkExchange(exchange: ExchangeInput, current: Exchange | undefined): Fault[] {
  return [
    ...deadlineFaults(exchange),
    ...keyFaults(exchange, current),
    ...signatureFaults(exchange, current),
    ...seatFaults(exchange),
    ...syncFaults(exchange),
  ];
}

function deadlineFaults({ defaultTmax, networkAllowance }: ExchangeInput): Fault[] {
  if (networkAllowance < defaultTmax) return [];
  return [{ pointer: '/networkAllowance', code: 'maximum', message: `must be below defaultTmax (${defaultTmax})` }];
}

function keyFaults({ priceFormat, priceKeys }: ExchangeInput, current: Exchange | undefined): Fault[] {
  if (priceFormat !== 'google' || priceKeys !== undefined || (current?.keys ?? null) !== null) return [];
  return [{ pointer: '/priceKeys', code: 'required', message: 'encrypted prices need their keys' }];
}

function signatureFaults({ signatureHeader, signatureSecret }: ExchangeInput, current: Exchange | undefined): Fault[] {
  if (signatureHeader === null || signatureSecret !== undefined || (current?.signing ?? null) !== null) return [];
  return [{ pointer: '/signatureSecret', code: 'required', message: 'a signature needs its secret' }];
}

/** Presets whose exchange gives its seats as whole numbers, and drops a bid with any other. */
const NUMERIC_SEATS: readonly ExchangeInput['preset'][] = ['pubmatic'];

function seatFaults({ preset, requiredFields, seat }: ExchangeInput): Fault[] {
  if (seat === null) {
    if (!requiredFields.includes('seat')) return [];
    return [{ pointer: '/seat', code: 'required', message: 'the exchange drops bids without a seat' }];
  }
  if (!NUMERIC_SEATS.includes(preset) || /^[1-9]\d*$/.test(seat)) return [];
  return [
    {
      pointer: '/seat',
      code: 'pattern',
      message: `must be the whole number that ${preset} gave, it drops bids with another seat`,
    },
  ];
}

function syncFaults({ syncUrl }: ExchangeInput): Fault[] {
  if (syncUrl === null || syncUrl.includes('${WALKIN_UID}')) return [];
  return [{ pointer: '/syncUrl', code: 'pattern', message: 'must hold ${WALKIN_UID}, where our id belongs' }];
}
