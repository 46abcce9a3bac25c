import type { Source } from '../sources/source.ts';
import type { Keyring } from './keyring.ts';

/** Under what events are taken. */
export interface Terms {
  readonly source: string;
  /** Of purchases that say none. */
  readonly currency: string;
  readonly keyring: Keyring;
  /** Epoch ms. */
  readonly now: number;
  /** Receipts that name nobody are taken too, each as that of somebody unknown. */
  readonly anonymous?: boolean;
  /** What the source's contract allows; absent: anything. */
  readonly contract?: Source | undefined;
  /** Keys of people of whom nothing may be stored. */
  readonly refused?: ReadonlySet<string> | undefined;
  /** Keys of people whose place may not be used: their pings are not taken. */
  readonly placeless?: ReadonlySet<string> | undefined;
  /** Our id in the Global Vendor List, by which TCF strings are read; 0: none. */
  readonly vendor?: number | undefined;
}
