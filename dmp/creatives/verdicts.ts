import type { AdEventType } from '../../proto/ad-event.ts';
import type { Thing, Things } from '../things/things.ts';
import { type Approval, approvalId } from './approval.ts';

/** What an ad event says of a creative: only some losses and all wins say anything. */
export interface Verdict {
  readonly type: AdEventType;
  readonly exchange: string;
  readonly creative: string;
  readonly lossReason: number | null;
  readonly test: boolean;
}

/** OpenRTB loss reasons: the creative waits for approval, or was disapproved. */
const PENDING = 201;
const DISAPPROVED = 202;
const FIRST_RETRY_MS = 3_600_000;
const LONGEST_RETRY_MS = 24 * 3_600_000;

/**
 * Writes down what exchanges say of creatives by their notices: "pending" keeps it back for an hour, then two, up to a day;
 * "disapproved" until somebody says otherwise; a win after either is an approval. What a person wrote down is left as it is.
 */
export async function takeVerdicts(things: Things, events: readonly Verdict[], now: number): Promise<void> {
  // One write for each pair, however many notices a batch has: a win outweighs, then a refusal, then waiting.
  const said = new Map<string, Approval['state']>();
  for (const event of events) {
    const state = stateOf(event);
    if (state === null || things.get('exchange', event.exchange) === undefined) continue;
    if (things.get('creative', event.creative) === undefined) continue;
    const id = approvalId(event.creative, event.exchange);
    if (WEIGHT[state] > WEIGHT[said.get(id) ?? 'pending'] || !said.has(id)) said.set(id, state);
  }
  for (const [id, state] of said) {
    const next = nextApproval(things.get('approval', id), id, state, now);
    if (next !== null) await things.put('approval', id, next, { actor: 'exchange' });
  }
}

const WEIGHT: Readonly<Record<Approval['state'], number>> = { pending: 0, rejected: 1, approved: 2 };

function stateOf({ type, lossReason, test }: Verdict): Approval['state'] | null {
  if (test) return null;
  if (type === 'win' || type === 'billing') return 'approved';
  if (type !== 'loss') return null;
  return lossReason === PENDING ? 'pending' : lossReason === DISAPPROVED ? 'rejected' : null;
}

/** Null where nothing changes. A win alone makes no approval: where nobody ever objected there is nothing to write down. */
function nextApproval(current: Thing<Approval> | undefined, id: string, state: Approval['state'], now: number): Approval | null {
  const [creative = '', exchange = ''] = id.split('.');
  const before = current?.body;
  if (before !== undefined && before.retry === null) return null;
  if (state === 'approved')
    return before === undefined || before.state === 'approved' ? null : { ...before, state, reason: 'won there' };
  if (state === 'rejected') {
    if (before?.state === 'rejected') return null;
    // Not asked again by itself: it stays in the hands of whoever reads it.
    return { creative, exchange, state, reason: `loss reason ${DISAPPROVED}`, retry: { at: Number.MAX_SAFE_INTEGER, times: 0 } };
  }
  // Notices of bids from before it was kept back still come in.
  if (before?.state === 'pending' && (before.retry?.at ?? 0) > now) return null;
  const times = (before?.state === 'pending' ? (before.retry?.times ?? 0) : 0) + 1;
  const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (times - 1));
  return { creative, exchange, state, reason: `loss reason ${PENDING}`, retry: { at: now + wait, times } };
}
