import type { Fence } from '../../proto/fence.ts';
import type { Level } from '../identity/kinds.ts';
import type { Near } from './members.ts';

/** What a rule's meaning depends on besides the facts. */
export interface RuleScope {
  /** End of sliding windows, epoch ms. */
  readonly now: number;
  /** The stores of a group; none where the group is gone. */
  storesOf(group: string): readonly string[];
  /** The stores that "any store" means, or null for all there are. */
  readonly stores: readonly string[] | null;
  /** The stores within some metres of others or of a point; absent: none. */
  storesNear?(near: Near): readonly string[];
  /** Where things are; absent: nowhere. */
  readonly places?: {
    /** Null: it is gone, or another advertiser's. */
    fence(kind: 'store' | 'geofence', id: string): Fence | null;
    /** All that "any store" means where `stores` is null. */
    stores(): readonly string[];
    /** Geofences that are shops of rivals. */
    rivals(): readonly string[];
  };
  /** How a campaign of the advertiser holds people out, in hundredths of a percent; null: it does not. Absent: none does. */
  holdoutOf?(campaign: string): { readonly salt: string; readonly share: number } | null;
  /** Whose facts are counted together; absent: a person's. */
  readonly level?: Level;
  /** How surely facts must be theirs to count, 0 to 1; absent: as who is who takes them. */
  readonly confidence?: number;
  /** Sources whose rows do not count here; none where absent. Visits are made without them already. */
  readonly withheld?: readonly string[];
  /** Whose words count: who withdrew is nowhere, and rows of `recorded` sources count for who agreed only. Absent: nobody's. */
  readonly consents?: { readonly audience: readonly string[]; readonly recorded: readonly string[] };
  /** Condition over `shard`: what is compared with everybody is compared with this part of them. Absent or empty: with all. */
  readonly sampled?: string;
  /** Whether another segment's members may count here; all may where absent. */
  mayNest?(segment: string): boolean;
  /** Of money in rules that name none; null: there are several. Absent: USD. */
  readonly currency?: string | null;
  /** Published rates: units of a currency for one US dollar. Absent: none. */
  readonly perUsd?: Readonly<Record<string, number>>;
}
