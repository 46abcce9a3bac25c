import { expect, it } from 'vitest';
import { createRebooking } from '../../bidder/notices/rebooking.ts';
import type { AdEvent } from '../../proto/ad-event.ts';
import { eventually } from './support/bidder.ts';

const event = (bid: string): AdEvent => ({ bid }) as AdEvent;
const OPTIONS = { settles: true, caps: [] };

/** Books, or not while it is away. */
function createBooks() {
  const booked: string[] = [];
  const books = { away: true, booked, book: (one: AdEvent): Promise<boolean> => bookOne(one) };
  return books;

  async function bookOne({ bid }: AdEvent): Promise<boolean> {
    if (books.away) throw new Error('away');
    booked.push(bid);
    return true;
  }
}

it('a booking is asked for again until it is done, in the order in which it was kept', async () => {
  const books = createBooks();
  const rebooking = createRebooking(books.book, { retryMs: 5 });
  const bids = Array.from({ length: 250 }, (_, at) => String(at));
  for (const bid of bids) expect(rebooking.keep(event(bid), OPTIONS)).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(books.booked).toEqual([]);
  books.away = false;
  await eventually(
    () => books.booked.length,
    (length) => length === 250,
  );
  expect(books.booked).toEqual(bids);
  expect(await rebooking.close(0)).toEqual([]);
});

it('what has no room is refused, and what is left at the end is told', async () => {
  const rebooking = createRebooking(createBooks().book, { capacity: 1, retryMs: 5 });
  expect([rebooking.keep(event('a'), OPTIONS), rebooking.keep(event('b'), OPTIONS)]).toEqual([true, false]);
  expect((await rebooking.close(20)).map(({ bid }) => bid)).toEqual(['a']);
  expect(rebooking.keep(event('c'), OPTIONS)).toBe(false);
});

it('the end books what it still can', async () => {
  const books = createBooks();
  const rebooking = createRebooking(books.book, { retryMs: 60_000 });
  rebooking.keep(event('a'), OPTIONS);
  books.away = false;
  expect(await rebooking.close(0)).toEqual([]);
  expect(books.booked).toEqual(['a']);
});
