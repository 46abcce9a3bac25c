/** A circuit breaker: stops asking what does not answer, and tries now and then whether it does again. Times are monotonic ms. */
export interface Breaker {
  /** Whether it may be asked now; while half open only one asks at a time. */
  allows(now: number): boolean;
  succeeded(): void;
  failed(now: number): void;
  readonly state: BreakerState;
}

export type BreakerState = 'closed' | 'open' | 'half_open';

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** How long it stays open before a probe, ms. */
  readonly openMs: number;
  readonly onChange: (state: BreakerState) => void;
}

export function createBreaker({ failures, openMs, onChange }: BreakerOptions): Breaker {
  let state: BreakerState = 'closed';
  let inARow = 0;
  let openedAt = 0;
  let probeAt = Number.NEGATIVE_INFINITY;
  return {
    allows,
    succeeded,
    failed,
    get state() {
      return state;
    },
  };

  function allows(now: number): boolean {
    if (state === 'closed') return true;
    if (state === 'open') {
      if (now - openedAt < openMs) return false;
      change('half_open');
    } else if (now - probeAt < openMs) return false; // A probe that is never heard of again must not keep it half open.
    probeAt = now;
    return true;
  }

  function succeeded(): void {
    inARow = 0;
    if (state !== 'closed') change('closed');
  }

  function failed(now: number): void {
    inARow++;
    if (state === 'closed' && inARow < failures) return;
    openedAt = now;
    if (state !== 'open') change('open');
  }

  function change(to: BreakerState): void {
    state = to;
    onChange(to);
  }
}
