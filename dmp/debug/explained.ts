import type { DebugBidAnswer, ExplainedLineItem, Finding } from '../../proto/debug.ts';
import type { LineItem } from '../campaigns/line-item.ts';
import { Targeting } from '../campaigns/targeting.ts';
import { Problem } from '../problem.ts';
import type { Thing, Things } from '../things/things.ts';

/** What a long list asks for is read in the line item itself. */
const LONGEST_NEED = 500;
/** Parts of a line item beside its targeting, by the members that they are in. */
const MEMBERS: Readonly<Record<string, string>> = {
  caps: '/caps',
  bid: '/bid',
  budget: '/budget',
  creatives: '/creatives',
  flight: '/start',
  childSafe: '/childSafe',
  status: '/status',
  live: '/status',
};

/** The bidder's answer in the words of the API: each reason with what asks for it. */
export function explainedAnswer(answer: DebugBidAnswer, things: Things, notLive: readonly object[]): object {
  const { version, now, lineItems, next, reasons, ...rest } = answer;
  return {
    snapshot: version,
    now: new Date(now).toISOString(),
    ...rest,
    reasons: reasons.map((reason) => ({ ...reason, field: null })),
    lineItems: [...notLive, ...lineItems.map((lineItem) => explainedLineItem(lineItem, things))],
    page: { next: next === null ? null : writeCursor(version, next), hasMore: next !== null },
  };
}

function explainedLineItem({ lineItem: id, advertiser: _, reasons, ...rest }: ExplainedLineItem, things: Things): object {
  const body = things.get('line-item', id)?.body;
  return { id, name: body?.name ?? id, ...rest, reasons: reasons.map((reason) => withNeed(reason, body)) };
}

function withNeed(reason: Finding, body: LineItem | undefined): object {
  const { part } = reason;
  if (part === 'geofences') return { ...reason, ...fencesOf(body) };
  const field = Object.hasOwn(Targeting.properties, part) ? `/targeting/${part}` : (MEMBERS[part] ?? null);
  const need = Object.hasOwn(Targeting.properties, part)
    ? body?.targeting[part as keyof LineItem['targeting']]
    : body?.[part as keyof LineItem];
  const isShort = need !== undefined && JSON.stringify(need).length <= LONGEST_NEED;
  return { ...reason, ...(isShort ? { need } : {}), field };
}

/** Fences are written in three ways. */
function fencesOf(body: LineItem | undefined): { readonly need?: object; readonly field: string } {
  const { stores, storeGroups, geofences } = body?.targeting ?? {};
  const part = stores !== undefined ? 'stores' : storeGroups !== undefined ? 'storeGroups' : 'geofences';
  const need = { stores, storeGroups, geofences };
  return { ...(JSON.stringify(need).length <= LONGEST_NEED ? { need } : {}), field: `/targeting/${part}` };
}

/** A line item that was asked for and is not published, with why it is not. */
export function notLiveLineItem({ id, body }: Thing<LineItem>, things: Things, now: number): object {
  const campaign = things.get('campaign', body.campaign)?.body;
  const isOver = [body.end, campaign?.end].some((end) => end !== undefined && Date.parse(end) <= now);
  const parts = [
    ...(body.status === 'active' ? [] : [{ code: 'no_line_item', part: 'status', have: body.status, field: '/status' }]),
    ...(campaign?.status === 'active'
      ? []
      : [{ code: 'no_line_item', part: 'campaign', have: campaign?.status ?? null, field: '/campaign' }]),
    ...(isOver ? [{ code: 'flight', part: 'flight', have: new Date(now).toISOString(), field: '/end' }] : []),
  ];
  const reasons = parts.length > 0 ? parts : [{ code: 'no_line_item', part: 'snapshot', have: null, field: null }];
  const rest = { outcome: 'not_live', store: null, prices: [], timings: { explain: 0 } };
  return {
    id,
    name: body.name,
    campaign: body.campaign,
    ...rest,
    reasons: reasons.map((reason) => ({ imp: null, deal: null, ...reason })),
  };
}

/** Positions hold for one version of the snapshot. */
function writeCursor(version: number, from: number): string {
  return Buffer.from(JSON.stringify([version, from])).toString('base64url');
}

export function readCursor(text: string): { readonly version: number; readonly from: number } {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(value) && value.length === 2 && value.every((number) => Number.isSafeInteger(number) && number >= 0))
      return { version: value[0] as number, from: value[1] as number };
  } catch {
    // Said below.
  }
  throw badCursor('must be the page.next of the answer before');
}

export function badCursor(message: string): Problem {
  return new Problem(400, 'bad_cursor', 'The cursor was not made by this answer', {
    errors: [{ pointer: '/cursor', code: 'bad_cursor', message }],
  });
}
