import { type Static, Type } from 'typebox';
import { MOST_DEBUG_LINE_ITEMS } from '../../proto/debug.ts';
import { NO_BID, type NoBidReason } from '../../proto/no-bid.ts';
import { PageQuery, pageOf } from '../http/page.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { Id, oneOf, Time } from '../http/schema.ts';

const closed = { additionalProperties: false } as const;
const REASONS = Object.keys(NO_BID) as [NoBidReason, ...NoBidReason[]];

const Profile = Type.Object(
  {
    segments: Type.Array(
      Type.Object(
        {
          segment: Id('a segment that the person is in'),
          hoursAgo: Type.Optional(
            Type.Integer({ minimum: 0, maximum: 8_760, description: 'when they entered it; absent: not known' }),
          ),
        },
        closed,
      ),
      { maxItems: 1_000 },
    ),
  },
  { ...closed, description: 'who the request is about, in place of whom its identifiers name' },
);

const options = {
  now: Type.Optional({ ...Time, description: 'the time to decide for; absent: the present' }),
  profile: Type.Optional(Profile),
  lineItems: Type.Optional(
    Type.Array(Id('a line item'), { minItems: 1, maxItems: 1_000, uniqueItems: true, description: 'tell of these only' }),
  ),
  campaign: Type.Optional(Id('a campaign: tell of its line items only')),
  reason: Type.Optional(oneOf(REASONS, { description: 'tell only of line items that have this reason among theirs' })),
  limit: Type.Integer({ minimum: 1, maximum: MOST_DEBUG_LINE_ITEMS, default: 50, description: 'line items in one answer' }),
  cursor: Type.Optional(Type.String({ maxLength: 200, description: '`page.next` of the answer before' })),
};

/** How to run a request. */
export const RunInput = Type.Object(options, closed);
export type RunInput = Static<typeof RunInput>;

export const DebugBidInput = Type.Object(
  {
    exchange: Id('the exchange that the request would come from'),
    request: Type.Unsafe<object | string>({
      type: ['object', 'string'],
      minLength: 1,
      maxLength: 400_000,
      description:
        'an OpenRTB bid request: as JSON, as its text, or as a body that was sent, JSON or protobuf, plain, gzip or zstd, in base64',
    }),
    ...options,
  },
  closed,
);
export type DebugBidInput = Static<typeof DebugBidInput>;

const orNull = (type: string, description: string) => Type.Unsafe<unknown>({ type: [type, 'null'], description });
const Code = Type.String({ description: 'see docs/no-bid-reasons.md' });

const Reason = Type.Object({
  code: Code,
  part: Type.String({ description: 'what did not pass: a member of the targeting, or bid, budget, caps, creatives…' }),
  imp: orNull('string', 'the imp that it is about; null: all'),
  deal: orNull('string', 'the deal that it is about'),
  have: Type.Unsafe<unknown>({ description: 'what the request brings' }),
  need: Type.Unsafe<unknown>({ description: 'what the line item asks for; absent where it is long' }),
  field: orNull('string', 'JSON pointer into the line item, of what asks for it'),
});

const Price = Type.Object({
  imp: Type.String(),
  deal: orNull('string', 'null: the open market'),
  maxCpm: Type.Integer({ description: 'micros of CPM, in the line item’s currency; so is price' }),
  metres: orNull('integer', 'to the store that is shown'),
  price: Type.Integer({ description: 'what remains of maxCpm by the distance' }),
  currency: Type.String(),
  floor: Type.Number({ description: 'CPM that the seller asks' }),
  floorCurrency: Type.String(),
  fixed: Type.Boolean({ description: 'the floor is the price' }),
  offered: orNull('object', 'cpm, currency, and rate: units of it for one of the line item’s; null: nothing can be offered'),
  cost: orNull('integer', 'micros that one impression costs'),
  budgetLeft: orNull('integer', 'micros that the tightest budget has left'),
});

const LineItem = Type.Object({
  id: Type.String(),
  name: Type.String(),
  campaign: Type.String(),
  outcome: oneOf(['bid', 'held_out', 'outbid', 'no_bid', 'not_live'], {
    description: 'outbid: it could have bid, another took the place; not_live: it is not published at all',
  }),
  store: orNull('string', 'that would be shown'),
  reasons: Type.Array(Reason),
  prices: Type.Array(Price, { description: 'one for each imp and way to buy it' }),
  timings: Type.Object(
    { explain: Type.Integer() },
    { description: 'microseconds that asking it everything took; an auction asks up to the first reason' },
  ),
});

const Answer = Type.Object({
  snapshot: Type.Integer({ description: 'version that decided' }),
  now: Type.String({ format: 'date-time' }),
  outcome: oneOf(['bid', 'no_bid']),
  status: orNull('integer', 'of the HTTP answer; null where it holds bids of others'),
  reason: orNull(
    'string',
    'the one that an auction would have counted, or why the body cannot be read; a bound key is told it only where it is everybody’s',
  ),
  reasons: Type.Array(Reason, { description: 'why nothing at all can be bid on this request' }),
  response: orNull(
    'object',
    'what the exchange would get; its notice addresses are not honoured. Null too where it holds bids of others',
  ),
  quirks: Type.Array(Type.String(), { description: 'what is not as the specification has it' }),
  person: Type.Object({}, { description: 'state, source (given, read, assumed) and number of segments' }),
  permission: orNull('object', 'what the law and the person allow, see docs/privacy.md'),
  lineItems: Type.Array(LineItem),
  totals: orNull('object', 'line items by outcome and by reason, over all of them; on the first page only'),
  page: Type.Object({ next: orNull('string', 'cursor'), hasMore: Type.Boolean() }),
  timings: Type.Object({}, { description: 'microseconds by step' }),
});

const Counts = Type.Object({
  lineItem: Type.String(),
  campaign: Type.String(),
  since: Type.String({ format: 'date-time', description: 'since when the oldest of the workers counts' }),
  workers: Type.Integer(),
  bids: Type.Integer(),
  reasons: Type.Object(
    {},
    { description: 'how often each reason kept it from bidding, of the requests for which it was looked at' },
  ),
  snapshot: Type.Object({
    since: Type.String({ format: 'date-time', description: 'since when the present snapshot is served' }),
    requests: Type.Integer({ description: 'that were matched since' }),
    passedOver: Type.Array(Type.Object({ part: Type.String(), code: Code, requests: Type.Integer() }), {
      description:
        'of those the ones for which it was passed over without a look, by each part of its targeting that they were not',
    }),
  }),
});

const Sampled = Type.Object({
  id: Type.String(),
  at: Type.String({ format: 'date-time' }),
  exchange: Type.String(),
  outcome: Type.String({ description: 'bid, or the reason why not' }),
  privacy: Type.String(),
  named: Type.Boolean({ description: 'it named a person; the ids in it now are nobody’s' }),
  request: Type.Object({}),
});

const tags = ['debug'];
const params = Type.Object({ id: Type.String({ maxLength: 200 }) });
const json = (description: string, schema: object) => ({
  200: { description, content: { 'application/json': { schema } } },
  ...PROBLEM_RESPONSES,
});

export const SCHEMAS = {
  bid: {
    tags,
    operationId: 'debugBid',
    summary: 'Decide a bid request without any effect, and tell for each line item all reasons',
    body: DebugBidInput,
    response: json('What became of it', Answer),
  },
  lineItem: {
    tags,
    operationId: 'getDebugLineItem',
    summary: 'Read how often a line item bid, and what kept it from bidding',
    params,
    response: json('The counts', Counts),
  },
  lineItems: {
    tags,
    operationId: 'listDebugLineItems',
    summary: 'List the counts of the line items of a campaign',
    querystring: Type.Object({ campaign: Id('a campaign'), ...PageQuery }, closed),
    response: json('A page', pageOf(Counts)),
  },
  requests: {
    tags,
    operationId: 'listDebugRequests',
    summary: 'List a sample of the live requests of the last minutes, without what names or places a person',
    querystring: Type.Object(
      { exchange: Type.Optional(Type.String()), outcome: Type.Optional(Type.String()), ...PageQuery },
      closed,
    ),
    response: json('A page', pageOf(Sampled)),
  },
  run: {
    tags,
    operationId: 'runDebugRequest',
    summary: 'Decide a request of the sample again, at its time or another',
    params,
    body: RunInput,
    response: json('What became of it', Answer),
  },
};
