import type { Answered } from './open-loop.ts';
import { say } from './say.ts';

const SHOWN = 5;

/** The slowest, by when they were due, milliseconds from a moment of the run: of a stall all who were hit are neighbours. */
export function sayWorst(what: string, answers: readonly Answered[], since: number): void {
  const worst = [...answers].sort((a, b) => b.end - b.due - (a.end - a.due)).slice(0, SHOWN);
  const each = worst.map(
    ({ due, sent, end }) =>
      `${(end - due).toFixed(0)} ms at ${(due - since).toFixed(0)} (sent ${(sent - due).toFixed(1)} ms late)`,
  );
  say(`The worst ${what}: ${each.join(', ')}`);
}
