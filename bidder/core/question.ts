import type { Micros } from '../../proto/money.ts';
import type { LiveExchange } from '../../proto/snapshot.ts';
import type { BidRequest } from '../openrtb/request.ts';
import type { LineItem } from './line-item.ts';
import type { Person } from './person.ts';

/** What is decided: a request, who it is about, and under what. */
export interface Question {
  readonly request: BidRequest;
  readonly person: Person;
  readonly exchange: LiveExchange;
  /** Whether the coordinates may be used. */
  readonly preciseLocation: boolean;
  /** Only line items that are safe for children. */
  readonly childOnly: boolean;
  /** Epoch ms. */
  readonly now: number;
  /** Micros that the worker may still spend on a limited line item. */
  readonly allowance: (lineItem: LineItem, cost: Micros, now: number) => Micros;
}
