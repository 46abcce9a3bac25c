import { type TSchema, Type } from 'typebox';
import { Problem } from '../problem.ts';
import type { Thing } from '../things/things.ts';

/** Query of every list. */
export const PageQuery = {
  limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 100 }),
  cursor: Type.Optional(Type.String({ maxLength: 500, description: '`page.next` of the page before' })),
};

export const pageOf = (item: TSchema): TSchema =>
  Type.Object({
    data: Type.Array(item),
    page: Type.Object({ next: Type.Unsafe<string | null>({ type: ['string', 'null'] }), hasMore: Type.Boolean() }),
  });

type Cursor = readonly [createdAt: number, id: string];

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly page: { readonly next: string | null; readonly hasMore: boolean };
}

/** One page of things in order of (createdAt, id), which nothing that happens between two pages can disturb. */
export function cutPage<Item extends Thing<unknown>>(
  things: readonly Item[],
  limit: number,
  cursor: string | undefined,
): Page<Item> {
  const after = cursor === undefined ? null : readCursor(cursor);
  const rest = after === null ? things : things.filter((thing) => isAfter(thing, after));
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  const hasMore = rest.length > items.length;
  return { items, page: { next: hasMore && last !== undefined ? writeCursor([last.createdAt, last.id]) : null, hasMore } };
}

function isAfter(thing: Thing<unknown>, [createdAt, id]: Cursor): boolean {
  return thing.createdAt > createdAt || (thing.createdAt === createdAt && thing.id > id);
}

function writeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url');
}

const TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/;

/** Whether a member of a cursor that somebody may have written himself is a time as ClickHouse tells and reads it. */
export function isCursorTime(value: unknown): value is string {
  return typeof value === 'string' && TIME.test(value) && isHeld(Date.parse(`${value.replace(' ', 'T')}Z`));
}

/** What a DateTime64(3) holds. */
function isHeld(at: number): boolean {
  return at >= Date.UTC(1900, 0, 1) && at < Date.UTC(2299, 11, 31);
}

function readCursor(text: string): Cursor {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(value) && value.length === 2 && typeof value[0] === 'number' && typeof value[1] === 'string')
      return [value[0], value[1]];
  } catch {
    // Said below.
  }
  throw new Problem(400, 'bad_cursor', 'The cursor was not made by this list', {
    errors: [{ pointer: '?cursor', code: 'bad_cursor', message: 'must be the page.next of the page before' }],
  });
}
