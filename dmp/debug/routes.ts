import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { DebugBid, DebugCountsAnswer, DebugProfile, LineItemCounts, PassedOver, SampledRequest } from '../../proto/debug.ts';
import type { NoBidReason } from '../../proto/no-bid.ts';
import type { LineItem } from '../campaigns/line-item.ts';
import type { DmpDeps } from '../deps.ts';
import { cutPage } from '../http/page.ts';
import { referenceFault } from '../http/references.ts';
import { maySee, type Principal, requireScope } from '../keys/auth.ts';
import { type Fault, invalid, notFound, Problem } from '../problem.ts';
import type { Thing } from '../things/things.ts';
import { askAll, askBid } from './bidders.ts';
import { badCursor, explainedAnswer, notLiveLineItem, readCursor } from './explained.ts';
import { type DebugBidInput, type RunInput, SCHEMAS } from './schemas.ts';

type Call<Body = unknown> = FastifyRequest<{
  Params: { id: string };
  Body: Body;
  Querystring: { campaign: string; exchange?: string; outcome?: string; limit: number; cursor?: string };
}>;

/** /v1/debug: why line items bid or do not. The bidders themselves are asked, so that what is told is what happens. */
export function registerDebugRoutes(app: FastifyInstance, deps: DmpDeps): void {
  app.post('/v1/debug/bid', { schema: SCHEMAS.bid }, async (request) => {
    requireScope(request, 'debug:read');
    const { exchange, request: wire, ...run } = (request as Call<DebugBidInput>).body;
    const faults = referenceFault(deps.things, 'exchange', exchange, '/exchange', null);
    if (faults.length > 0) throw invalid(faults);
    // Whose segments somebody is in is not for advertisers to find out by asking.
    return runBid(deps, request.principal, run, { exchange, request: wire, readsProfile: request.principal.advertiser === null });
  });
  app.get('/v1/debug/line-items/:id', { schema: SCHEMAS.lineItem }, async (request) => {
    requireScope(request, 'debug:read');
    const { id } = (request as Call).params;
    const lineItem = deps.things.get('line-item', id);
    if (lineItem === undefined || !maySeeLineItem(deps, request.principal, lineItem.body)) throw notFound('line item');
    const [counts] = await countsOf(deps, [lineItem]);
    return counts;
  });
  app.get('/v1/debug/line-items', { schema: SCHEMAS.lineItems }, async (request) => {
    requireScope(request, 'debug:read');
    const { campaign, limit, cursor } = (request as Call).query;
    const all = lineItemsOf(deps, request.principal, campaign);
    if (all === null) throw notFound('campaign');
    const { items, page } = cutPage(all, limit, cursor);
    return { data: items.length === 0 ? [] : await countsOf(deps, items), page };
  });
  app.get('/v1/debug/requests', { schema: SCHEMAS.requests }, async (request) => {
    requireSample(request);
    const { exchange, outcome, limit, cursor } = (request as Call).query;
    const sampled = (await askAll(deps, { kind: 'requests', id: null })).flatMap(({ requests }) => requests);
    const wanted = sampled
      .filter(
        (one) => (exchange === undefined || one.exchange === exchange) && (outcome === undefined || one.outcome === outcome),
      )
      .map((one) => ({ ...one, createdAt: one.at, updatedAt: one.at, revision: 1, body: null }))
      .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
    const { items, page } = cutPage(wanted, limit, cursor);
    return { data: items.map(shownSample), page };
  });
  app.post('/v1/debug/requests/:id/run', { schema: SCHEMAS.run }, async (request) => {
    requireSample(request);
    const { params, body } = request as Call<RunInput>;
    const answers = await askAll(deps, { kind: 'requests', id: params.id });
    const sampled = answers.flatMap(({ requests }) => requests).find(({ id }) => id === params.id);
    if (sampled === undefined) throw notFound('request of this id in the sample: it holds those of the last minutes');
    const run = { now: new Date(sampled.at).toISOString(), ...body };
    return runBid(deps, request.principal, run, { exchange: sampled.exchange, request: sampled.request, readsProfile: false });
  });
}

/** Requests tell of deals and floors that are other advertisers'. */
function requireSample(request: FastifyRequest): void {
  requireScope(request, 'debug:read');
  if (request.principal.advertiser !== null)
    throw new Problem(403, 'forbidden', 'A key that is bound to an advertiser cannot see the sample of requests');
}

async function runBid(
  deps: DmpDeps,
  principal: Principal,
  run: RunInput,
  asked: Pick<DebugBid, 'exchange' | 'request' | 'readsProfile'>,
): Promise<object> {
  const wanted = wantedLineItems(deps, principal, run);
  const profile = profileOf(deps, principal, run);
  const faults = [...wanted.faults, ...profile.faults];
  if (faults.length > 0) throw invalid(faults);
  const cursor = run.cursor === undefined ? null : readCursor(run.cursor);
  const now = run.now === undefined ? null : Date.parse(run.now);
  const answer = await askBid(deps, {
    kind: 'bid',
    ...asked,
    now,
    profile: profile.profile,
    advertiser: principal.advertiser,
    lineItems: wanted.lineItems?.map(({ id }) => id) ?? null,
    reason: run.reason ?? null,
    from: cursor?.from ?? 0,
    limit: run.limit,
  });
  if (cursor !== null && cursor.version !== answer.version)
    throw badCursor('another snapshot is live since: begin again without a cursor');
  const missing = cursor === null && run.reason === undefined ? answer.missing : [];
  const notLive = missing.flatMap((id) => deps.things.get('line-item', id) ?? []);
  return explainedAnswer(
    answer,
    deps.things,
    notLive.map((thing) => notLiveLineItem(thing, deps.things, now ?? deps.now())),
  );
}

interface Wanted {
  /** Null: all. */
  readonly lineItems: readonly Thing<LineItem>[] | null;
  readonly faults: readonly Fault[];
}

function wantedLineItems(deps: DmpDeps, principal: Principal, { lineItems: ids, campaign }: RunInput): Wanted {
  const ofCampaign = campaign === undefined ? null : lineItemsOf(deps, principal, campaign);
  const faults: Fault[] =
    campaign !== undefined && ofCampaign === null
      ? [{ pointer: '/campaign', code: 'unknown_campaign', message: `there is no campaign ${campaign}` }]
      : [];
  if (ids === undefined) return { lineItems: ofCampaign, faults };
  const named = ids.flatMap((id, index) => {
    const thing = deps.things.get('line-item', id);
    if (thing !== undefined && maySeeLineItem(deps, principal, thing.body)) return [thing];
    faults.push({ pointer: `/lineItems/${index}`, code: 'unknown_line_item', message: `there is no line item ${id}` });
    return [];
  });
  return { lineItems: ofCampaign === null ? named : named.filter((thing) => thing.body.campaign === campaign), faults };
}

/** Null where there is no such campaign for this key. */
function lineItemsOf({ things }: DmpDeps, principal: Principal, campaign: string): Thing<LineItem>[] | null {
  const thing = things.get('campaign', campaign);
  if (thing === undefined || !maySee(principal, thing.body.advertiser)) return null;
  return things.list('line-item').filter(({ body }) => body.campaign === campaign);
}

function maySeeLineItem({ things }: DmpDeps, principal: Principal, { campaign }: LineItem): boolean {
  return maySee(principal, things.get('campaign', campaign)?.body.advertiser ?? null);
}

function profileOf(
  deps: DmpDeps,
  principal: Principal,
  { profile }: RunInput,
): { profile: DebugProfile | null; faults: Fault[] } {
  if (profile === undefined) return { profile: null, faults: [] };
  const faults: Fault[] = [];
  const segments = profile.segments.flatMap(({ segment: id, hoursAgo }, index) => {
    faults.push(...referenceFault(deps.things, 'segment', id, `/profile/segments/${index}/segment`, principal.advertiser));
    const number = deps.things.get('segment', id)?.body.number;
    return number === undefined ? [] : [{ segment: number, hours: hoursAgo ?? null }];
  });
  return { profile: { segments }, faults };
}

/** What the workers of all bidders have counted, added up. */
async function countsOf(deps: DmpDeps, lineItems: readonly Thing<LineItem>[]): Promise<object[]> {
  const answers = await askAll(deps, { kind: 'counts', lineItems: lineItems.map(({ id }) => id) });
  const since = new Date(Math.min(...answers.map((answer) => answer.since))).toISOString();
  const served = {
    since: new Date(Math.min(...answers.map(({ servedSince }) => servedSince))).toISOString(),
    requests: answers.reduce((sum, { requests }) => sum + requests, 0),
  };
  return lineItems.map(({ id, body }) => {
    const { bids, reasons, passedOver } = sumOf(answers, id);
    return {
      lineItem: id,
      campaign: body.campaign,
      since,
      workers: answers.length,
      bids,
      reasons,
      snapshot: { ...served, passedOver },
    };
  });
}

function sumOf(answers: readonly DebugCountsAnswer[], lineItem: string): Omit<LineItemCounts, 'lineItem'> {
  const reasons: Partial<Record<NoBidReason, number>> = {};
  const passedOver = new Map<string, PassedOver>();
  let bids = 0;
  for (const counts of answers.flatMap(({ lineItems }) => lineItems.filter((one) => one.lineItem === lineItem))) {
    bids += counts.bids;
    for (const [code, count] of Object.entries(counts.reasons) as [NoBidReason, number][])
      reasons[code] = (reasons[code] ?? 0) + count;
    for (const over of counts.passedOver)
      passedOver.set(over.part, { ...over, requests: over.requests + (passedOver.get(over.part)?.requests ?? 0) });
  }
  return { bids, reasons, passedOver: [...passedOver.values()] };
}

function shownSample({ id, at, exchange, outcome, privacy, named, request }: SampledRequest): object {
  return { id, at: new Date(at).toISOString(), exchange, outcome, privacy, named, request };
}
