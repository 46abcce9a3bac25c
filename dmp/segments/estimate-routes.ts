import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import { referenceFault } from '../http/references.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { Id, nullable, oneOf } from '../http/schema.ts';
import { LEVELS } from '../identity/kinds.ts';
import { requireScope } from '../keys/auth.ts';
import { invalid } from '../problem.ts';
import type { Things } from '../things/things.ts';
import { scopeOf } from './advertiser-scope.ts';
import { checkRule } from './check.ts';
import { type Estimate, estimate, estimateGroup } from './estimate.ts';
import { countFor, roundedRange, type Told } from './minimum.ts';
import { type Group, heatMap, reach, type StorePoint, storeReach } from './reach.ts';
import { Rule } from './rule.ts';
import type { RuleScope } from './scope.ts';
import { Confidence } from './segment.ts';
import { CellsView, json, People, Range, ReachView, StoresView } from './told-schemas.ts';

const INCLUDED = ['nodes', 'reach', 'stores', 'cells'] as const;
const DAY_MS = 86_400_000;
/** Bids of so long count for who can be met. */
export const MET_DAYS = 30;
/** Stores that are told of. */
const MOST_STORES = 1_000;

export const Metres = Type.Number({
  exclusiveMinimum: 0,
  maximum: 50_000,
  default: 1_000,
  description: 'how far from a store somebody lives near it',
});

const Body = Type.Object(
  {
    rule: Rule,
    advertiser: nullable(Id('the advertiser for whom it is estimated'), { default: null }),
    level: oneOf(LEVELS, { default: 'person' }),
    confidence: Confidence,
    include: Type.Array(oneOf(INCLUDED), { uniqueItems: true, default: ['nodes'], description: 'what is told besides the size' }),
    metres: Metres,
  },
  { additionalProperties: false },
);
type Body = Static<typeof Body>;

const View = Type.Object({
  size: Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    description:
      'null: fewer than 10 people, or too few of them in the sample. A key of an advertiser gets it to the nearest ten',
  }),
  belowMinimum: Type.Boolean(),
  method: Type.Unsafe<string>({ type: 'string', enum: ['exact', 'sample'] }),
  interval: Type.Unsafe<object | null>({
    ...Range,
    description: '95 % interval of a sample: Wilson, with households as clusters',
  }),
  profiles: Type.Integer({ description: 'everybody known' }),
  sample: Type.Unsafe<object | null>({
    type: ['object', 'null'],
    properties: { people: { type: 'integer' }, households: { type: 'integer' }, designEffect: { type: 'number' } },
    description: 'what was counted in place of everybody',
  }),
  nodes: Type.Optional(
    Type.Array(Type.Object({ pointer: Type.String(), size: People, interval: Range, without: People }), {
      description: 'each part of the rule: whom it selects by itself, and whom the rule would select without it',
    }),
  ),
  nodesLeft: Type.Integer({ description: 'parts of a large rule that are not told' }),
  reach: Type.Optional(ReachView),
  stores: Type.Optional(StoresView),
  cells: Type.Optional(CellsView),
  seconds: Type.Number(),
});

/** POST /v1/segments:estimate. `::` is a colon to the router. */
export function registerEstimateRoute(app: FastifyInstance, deps: DmpDeps): void {
  const schema = {
    tags: ['segments'],
    operationId: 'estimateSegment',
    summary: 'How many people a rule selects, before it is a segment',
    body: Body,
    response: { ...json(View), ...PROBLEM_RESPONSES },
  };
  app.post<{ Body: Body }>(
    '/v1/segments::estimate',
    { schema, config: { idempotent: false, audited: 'none' } },
    async (request) => {
      requireScope(request, 'segments:read');
      const { rule, advertiser: wanted, level, confidence, include, metres } = request.body;
      const own = request.principal.advertiser;
      const advertiser = own ?? wanted;
      const faults = [
        ...(advertiser === null ? [] : referenceFault(deps.things, 'advertiser', advertiser, '/advertiser', null)),
        ...(wanted !== null && wanted !== advertiser ? [unknownAdvertiser(wanted)] : []),
        ...checkRule(rule, { things: deps.things, advertiser, self: null }),
      ];
      if (faults.length > 0) throw invalid(faults, 'The rule is not valid');
      const scope = { ...scopeOf(deps.things, advertiser, deps.now()), level, confidence };
      const { told: all, group } = asksOfPeople(include)
        ? await estimateGroup(deps.warehouse, rule, scope)
        : { told: await estimate(deps.warehouse, rule, scope), group: null };
      const { nodes, ...told } = all;
      const more = group === null ? {} : await groupDetails(deps, scope, advertiser, include, metres, group);
      return { ...told, ...countsFor(request.principal, told), ...(include.includes('nodes') ? { nodes } : {}), ...more };
    },
  );
}

type Counts = Pick<Estimate, 'size' | 'profiles' | 'interval' | 'sample'>;

/** Whatever of an estimate counts people, as the key gets it. */
function countsFor(key: Told, { size, profiles, interval, sample }: Counts): Partial<Counts> {
  if (key.advertiser === null) return {};
  const tell = (people: number): number => countFor(key, people) ?? 0;
  return {
    size: size === null ? null : countFor(key, size),
    profiles: tell(profiles),
    interval: roundedRange(interval),
    sample: sample === null ? null : { ...sample, people: tell(sample.people), households: tell(sample.households) },
  };
}

/** Whether `include` asks for more than sizes. */
function asksOfPeople(include: readonly string[]): boolean {
  return include.some((one) => one !== 'nodes');
}

/** What `include` asks for of a group. */
export async function groupDetails(
  { warehouse, things, now }: DmpDeps,
  scope: RuleScope,
  advertiser: string | null,
  include: readonly string[],
  metres: number,
  people: Group,
): Promise<object> {
  const exchanges = things.list('exchange').map(({ id }) => id);
  const since = now() - MET_DAYS * DAY_MS;
  return {
    ...(include.includes('reach') ? { reach: await reach(warehouse, scope, people, exchanges, since) } : {}),
    ...(include.includes('stores')
      ? { stores: await storeReach(warehouse, scope, people, storesOf(things, advertiser), metres) }
      : {}),
    ...(include.includes('cells') ? { cells: await heatMap(warehouse, scope, people) } : {}),
  };
}

function storesOf(things: Things, advertiser: string | null): StorePoint[] {
  const own = things.list('store').filter(({ body }) => advertiser === null || body.advertiser === advertiser);
  return own.slice(0, MOST_STORES).map(({ id, body: { lat, lon } }) => ({ id, lat, lon }));
}

function unknownAdvertiser(id: string) {
  return { pointer: '/advertiser', code: 'unknown_advertiser' as const, message: `there is no advertiser ${id}` };
}
