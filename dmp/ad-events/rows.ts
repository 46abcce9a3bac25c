import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { AdEventType } from '../../proto/ad-event.ts';
import { matchSource } from '../../proto/match.ts';
import { bridge } from '../events/bridge.ts';
import { shapeFaults } from '../events/faults.ts';
import type { EdgeRow } from '../events/rows.ts';
import { oneOf } from '../http/schema.ts';
import type { Fault } from '../problem.ts';

/** A row of the table `ad_events`. */
export interface AdEventRow {
  type: AdEventType;
  bid: string;
  bid_at: string;
  at: string;
  exchange: string;
  auction: string;
  imp: string;
  advertiser: string;
  campaign: string;
  line_item: string;
  creative: string;
  store: string;
  identifier: string;
  anchor: string;
  price: number;
  clearing: number | null;
  cost: number;
  data: number;
  loss_reason: number | null;
  min_to_win: number | null;
  metres: number | null;
  test: number;
  /** '' but of `view`, `media` and `unsent`. */
  detail: string;
  deal: string;
  exposures: number;
  /** Reason of the table of privacy, '' of bids made before there was one. */
  privacy: string;
  /** Hash of the consent strings, '' none. */
  consent: string;
  /** 0 of bids made before it was kept. */
  auction_type: number;
  /** 0 on a bid that is only known by one of its notices. */
  own: number;
}

/** Source of the edges and refused rows that come from ad events. */
export const AD_EVENT_SOURCE = 'ad-events';

const TYPES = [
  'bid',
  'ghost',
  'win',
  'billing',
  'loss',
  'impression',
  'click',
  'view',
  'media',
  'unsent',
] as const satisfies readonly AdEventType[];
export const NOBODY = '00000000-0000-0000-0000-000000000000';

const Text = Type.String({ maxLength: 2048 });
const Key = Type.String({ pattern: '^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$' });
const Time = Type.Integer({ minimum: Date.UTC(2000, 0), maximum: Date.UTC(2200, 0) });
const Micros = { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };
const maybe = (maximum: number, minimum = 0) => Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum, maximum });

/** What the bidder writes, as far as the table needs it; members that a newer bidder adds are no fault. */
const WireAdEvent = Type.Object({
  type: oneOf(TYPES),
  bid: Type.String({ minLength: 1, maxLength: 256 }),
  bidAt: Time,
  at: Time,
  exchange: Text,
  auction: Text,
  imp: Text,
  advertiser: Text,
  campaign: Text,
  lineItem: Text,
  creative: Text,
  store: Text,
  identifier: Key,
  anchor: Key,
  price: Type.Integer(Micros),
  clearing: maybe(Micros.maximum, Micros.minimum),
  cost: Type.Integer(Micros),
  data: Type.Optional(Type.Integer(Micros)),
  lossReason: maybe(65_535),
  minToWin: maybe(Micros.maximum, Micros.minimum),
  metres: maybe(4_294_967_295),
  test: Type.Boolean(),
  privacy: Type.Optional(Type.String({ maxLength: 64 })),
  consent: Type.Optional(Type.String({ pattern: '^([0-9a-f]{16})?$' })),
  auctionType: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
  detail: Type.Optional(Text),
  deal: Type.Optional(Text),
  multiplier: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9 })),
  exposures: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9 })),
});
type WireAdEvent = Static<typeof WireAdEvent>;

const check = Compile(WireAdEvent);

const MatchKey = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' });
const WireMatch = Type.Object({
  type: Type.Literal('sync'),
  exchange: Type.String({ minLength: 1, maxLength: 64 }),
  at: Time,
  user: MatchKey,
  cookie: MatchKey,
  older: Type.Optional(Type.Array(Type.Object({ user: MatchKey, cookie: MatchKey }), { maxItems: 8 })),
});
const checkMatch = Compile(WireMatch);
const LONE_SURROGATE = /\\ud[89a-f]/i;

/** An entry of the stream, read: its rows, or why it is none. */
export type ReadEntry =
  | { readonly rows: readonly AdEventRow[]; readonly edges: readonly EdgeRow[] }
  | { readonly faults: readonly Fault[]; readonly value: unknown };

export function readEntry(text: string | undefined): ReadEntry {
  let value: unknown;
  try {
    value = JSON.parse(text ?? '');
  } catch {
    return { faults: [{ pointer: '', code: 'not_json', message: 'the entry is not readable as JSON' }], value: undefined };
  }
  if (checkMatch.Check(value)) return { rows: [], edges: [edgeOfMatch(value), ...bridgesOf(value)] };
  if (!check.Check(value)) return { faults: shapeFaults(check.Errors(value)), value };
  if (LONE_SURROGATE.test(text ?? '') && /\p{Surrogate}/u.test(Object.values(value).join('')))
    return { faults: [{ pointer: '', code: 'bad_encoding', message: 'a text has half a surrogate pair' }], value };
  const edge = edgeOf(value);
  return { rows: rowsOf(value), edges: edge === null ? [] : [edge] };
}

/** The event's row, and of a notice also the row of its bid, whose own event may be lost with its worker. Ghosts and what was not sent have no bid. */
function rowsOf(event: WireAdEvent): AdEventRow[] {
  const row = rowOf(event);
  if (event.type === 'bid' || event.type === 'ghost' || event.type === 'unsent') return [row];
  const bid = {
    type: 'bid' as const,
    at: row.bid_at,
    clearing: null,
    cost: 0,
    data: 0,
    loss_reason: null,
    min_to_win: null,
    metres: null,
    detail: '',
    exposures: event.multiplier ?? 1,
  };
  return [row, { ...row, ...bid, own: 0 }];
}

function rowOf(event: WireAdEvent): AdEventRow {
  return {
    type: event.type,
    bid: event.bid,
    bid_at: new Date(event.bidAt).toISOString(),
    at: new Date(event.at).toISOString(),
    exchange: event.exchange,
    auction: event.auction,
    imp: event.imp,
    advertiser: event.advertiser,
    campaign: event.campaign,
    line_item: event.lineItem,
    creative: event.creative,
    store: event.store,
    identifier: event.identifier === '' ? NOBODY : event.identifier,
    // Who is not named is not found by what impressions were counted under either.
    anchor: event.anchor === '' || event.identifier === '' ? NOBODY : event.anchor,
    price: event.price,
    clearing: event.clearing,
    cost: event.cost,
    data: event.data ?? 0,
    loss_reason: event.lossReason,
    min_to_win: event.minToWin,
    metres: event.metres,
    test: event.test ? 1 : 0,
    detail: event.detail ?? '',
    deal: event.deal ?? '',
    exposures: event.exposures ?? event.multiplier ?? 1,
    privacy: event.privacy ?? '',
    consent: event.consent ?? '',
    auction_type: event.auctionType ?? 0,
    own: 1,
  };
}

/** The exchange's id of a browser and ours are one: the match table is made of these. */
function edgeOfMatch({ exchange, at, user, cookie }: Static<typeof WireMatch>): EdgeRow {
  const first_seen = new Date(at).toISOString();
  const [first, second] = [
    { key: user, kind: 'exchange' },
    { key: cookie, kind: 'cookie' },
  ].sort((a, b) => (a.key < b.key ? -1 : 1)) as [{ key: string; kind: string }, { key: string; kind: string }];
  return {
    a: first.key,
    kind_a: first.kind,
    b: second.key,
    kind_b: second.kind,
    source: matchSource(exchange),
    first_seen,
    confidence: 1,
  };
}

function bridgesOf({ at, user, cookie, older = [] }: Static<typeof WireMatch>): EdgeRow[] {
  const first = new Date(at).toISOString();
  return older.flatMap((before) => [
    bridge(user, before.user, 'exchange', first),
    bridge(cookie, before.cookie, 'cookie', first),
  ]);
}

/** Says that the identifier exists. Its kind is not known to the bidder: '' gives way to any source that knows it. */
function edgeOf(event: WireAdEvent): EdgeRow | null {
  const { identifier } = event;
  if (identifier === '') return null;
  const first_seen = new Date(event.at).toISOString();
  return { a: identifier, kind_a: '', b: identifier, kind_b: '', source: AD_EVENT_SOURCE, first_seen, confidence: 1 };
}
