import { expect, it } from 'vitest';
import { withinBytes } from '../../bidder/answer-size.ts';
import type { WireBid, WireResponse } from '../../proto/openrtb.ts';

const bid = (id: string, price: number): WireBid => ({
  id,
  impid: '1',
  price,
  adm: 'x'.repeat(1_000),
  adomain: [],
  cid: '',
  crid: '',
  mtype: 1,
});
const response = (...bids: WireBid[]): WireResponse => ({ id: 'a', seatbid: [{ bid: bids }] });
const write = (whole: WireResponse): Buffer => Buffer.from(JSON.stringify(whole));
const idsOf = (left: WireResponse | null): string[] | null =>
  left?.seatbid.flatMap((seat) => seat.bid.map(({ id }) => id)) ?? null;

it('an answer keeps its dearest bids, of as dear ones the first', () => {
  const whole = response(bid('cheap', 1), bid('dear', 3), bid('first', 2), bid('second', 2));
  const sizes = [5_000, 3_600, 2_500, 1_200].map((most) => idsOf(withinBytes(whole, most, write)));
  expect(sizes).toEqual([['cheap', 'dear', 'first', 'second'], ['dear', 'first', 'second'], ['dear', 'first'], ['dear']]);
});

it('an answer without a limit is not even written', () => {
  const whole = response(bid('a', 1));
  const never = (): Buffer => {
    throw new Error('written');
  };
  expect(withinBytes(whole, null, never)).toBe(whole);
});

it('an answer in which nothing fits is none, and a seat without bids is not sent', () => {
  expect(withinBytes(response(bid('a', 1)), 100, write)).toBeNull();
  const two = { id: 'a', seatbid: [{ bid: [bid('a', 1)] }, { bid: [bid('b', 2)] }] };
  expect(withinBytes(two, 1_300, write)?.seatbid).toHaveLength(1);
});

it('an answer to a request of many places is cut in one go', () => {
  const bids = Array.from({ length: 2_000 }, (_, at) => bid(String(at), at));
  let written = 0;
  const counted = (whole: WireResponse): Buffer => {
    const bytes = write(whole);
    written += bytes.length;
    return bytes;
  };
  const left = withinBytes(response(...bids), 10_000, counted);
  expect(write(left as WireResponse).length).toBeLessThanOrEqual(10_000);
  expect(idsOf(left)).toEqual(['1991', '1992', '1993', '1994', '1995', '1996', '1997', '1998', '1999']);
  expect(written).toBeLessThan(write(response(...bids)).length * 3);
});
