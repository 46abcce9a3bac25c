import type { Index } from '../core/index.ts';
import type { LineItem } from '../core/line-item.ts';
import { readSpender } from '../core/records.ts';

/** What of a line item its money is leased by. */
export type Spender = Pick<LineItem, 'id' | 'campaign' | 'budget' | 'limited' | 'start' | 'end' | 'bid' | 'data'>;

/**
 * The spender at a position of an index, null where no budget limits it. It is read and forgotten: making all line items for their
 * budgets would put the whole index on the heap.
 */
export function spenderAt(index: Index, position: number): Spender | null {
  if (!index.isLimited(position)) return null;
  const { recordStart, recordLength, records } = index.sections;
  const start = recordStart[position] as number;
  const bytes = Buffer.from(records.buffer, records.byteOffset + start, recordLength[position] as number);
  return readSpender(bytes.toString());
}
