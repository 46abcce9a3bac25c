import type { SampledRequest } from '../../proto/debug.ts';
import type { NoBidReason } from '../../proto/no-bid.ts';
import type { Format } from '../openrtb/decode.ts';
import { isObject } from '../openrtb/fields.ts';
import { decodeRequestMessage } from '../openrtb/protobuf.ts';
import type { BidRequest } from '../openrtb/request.ts';
import type { Permission } from '../privacy.ts';
import { strippedRequest } from './strip.ts';

/** A live request, as an auction has it when it is answered. */
export interface LiveRequest {
  readonly body: Buffer;
  readonly format: Format;
  readonly exchange: string;
  readonly request: BidRequest;
  readonly permission: Permission;
  /** A text: why nothing is bid. */
  readonly verdict: unknown;
}

/** A few of the requests of the last minutes, each as likely as any other, without what names or places a person. */
export interface RequestSample {
  /** Whether the next request is to be taken. Costs less than a tenth of a microsecond. */
  wants(): boolean;
  take(live: LiveRequest): void;
  list(): readonly SampledRequest[];
}

export interface SampleOptions {
  /** Part of ids, unique over workers. */
  readonly worker: string;
  readonly size?: number;
  readonly windowMs?: number;
  /** Epoch ms, and a number from 0 to 1. */
  readonly now?: () => number;
  readonly random?: () => number;
}

type Taken = { -readonly [Name in keyof SampledRequest]: SampledRequest[Name] };

/** A larger one is not taken: the sample stays small whatever is sent. */
const MOST_BYTES = 64 * 1024;

/** Vitter's reservoir (algorithm R) over each window; that of the window before is still shown. */
export function createRequestSample(options: SampleOptions): RequestSample {
  const { worker, size = 50, windowMs = 300_000, now = Date.now, random = Math.random } = options;
  let before: Taken[] = [];
  let current: Taken[] = [];
  let seen = 0;
  let place = 0;
  let end = now() + windowMs;
  let counter = 0;
  return { wants, take, list };

  function wants(): boolean {
    if (now() >= end) turnOver();
    seen++;
    place = seen <= size ? seen - 1 : Math.floor(random() * seen);
    return place < size;
  }

  function take(live: LiveRequest): void {
    const taken = takenOf(live);
    if (taken === null) return;
    current[Math.min(place, current.length)] = taken;
    if (live.verdict instanceof Promise) live.verdict.then((verdict) => note(taken, verdict)).catch(() => undefined);
    else note(taken, live.verdict);
  }

  function list(): readonly SampledRequest[] {
    turnOver();
    return [...before, ...current];
  }

  /** Once for each window that is over: after two of silence nothing is left. */
  function turnOver(): void {
    for (let turns = 0; turns < 2 && now() >= end; turns++) {
      before = current;
      current = [];
      seen = 0;
      end += windowMs;
    }
    if (now() >= end) end = now() + windowMs;
  }

  function takenOf({ body, format, exchange, request, permission }: LiveRequest): Taken | null {
    if (body.length > MOST_BYTES) return null;
    const wire = format === 'json' ? jsonOf(body) : decodeRequestMessage(body);
    if (!isObject(wire)) return null;
    const id = `rq_${worker}${(counter++).toString(36)}`;
    const { device, userId, buyeruid } = request;
    const named = permission.identifiers && [device.ifa, userId, buyeruid].some((text) => text !== '');
    const stripped = strippedRequest(wire, permission, id);
    return { id, at: now(), exchange, outcome: 'no_line_item', privacy: permission.why, named, request: stripped };
  }
}

function note(taken: Taken, verdict: unknown): void {
  taken.outcome = typeof verdict === 'string' ? (verdict as NoBidReason) : 'bid';
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return null;
  }
}
