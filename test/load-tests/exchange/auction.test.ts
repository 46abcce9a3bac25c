import { describe, expect, it } from 'vitest';
import { holdAuction, rivalryOf } from '../../../load-tests/exchange/auction.ts';

const rivalries = Array.from({ length: 5_000 }, (_, n) => rivalryOf(1, `a1-${n}`));

describe('the auction', () => {
  it('has the same rivals whenever it is held', () => {
    expect(rivalryOf(1, 'a1-77')).toEqual(rivalries[77]);
    expect(rivalryOf(2, 'a1-77')).not.toEqual(rivalries[77]);
  });

  it('sells nothing below the floor', () => {
    for (const rivalry of rivalries) {
      expect(rivalry.best).toBeGreaterThanOrEqual(rivalry.floor);
      expect(holdAuction(rivalry, rivalry.floor - 0.01).won).toBe(false);
    }
  });

  it('goes to the highest bid, which pays itself', () => {
    const rivalry = { floor: 0.5, best: 2 };
    expect(holdAuction(rivalry, 2.5)).toEqual({ won: true, clearing: 2.5, minToWin: 2.01 });
    expect(holdAuction(rivalry, 1.5)).toEqual({ won: false, clearing: 2, minToWin: 2.01 });
    expect(holdAuction(rivalry, 2).won).toBe(false);
  });

  it('is won more often by a higher bid', () => {
    const rate = (bid: number) => rivalries.filter((rivalry) => holdAuction(rivalry, bid).won).length / rivalries.length;
    expect(rate(1)).toBeLessThan(rate(2));
    expect(rate(2)).toBeLessThan(rate(4));
    expect(rate(4)).toBeGreaterThan(0.6);
    expect(rate(1)).toBeLessThan(0.2);
  });
});
