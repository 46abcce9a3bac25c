import type { Level } from '../identity/kinds.ts';

/** What a rule's meaning depends on besides the facts. */
export interface RuleScope {
  /** End of sliding windows, epoch ms. */
  readonly now: number;
  /** The stores of a group; none where the group is gone. */
  storesOf(group: string): readonly string[];
  /** The stores that "any store" means, or null for all there are. */
  readonly stores: readonly string[] | null;
  /** Whose facts are counted together; absent: a person's. */
  readonly level?: Level;
  /** Sources whose rows do not count here; none where absent. Visits are made without them already. */
  readonly withheld?: readonly string[];
  /** Whose words count: who withdrew is nowhere, and rows of `recorded` sources count for who agreed only. Absent: nobody's. */
  readonly consents?: { readonly audience: readonly string[]; readonly recorded: readonly string[] };
  /** Whether another segment's members may count here; all may where absent. */
  mayNest?(segment: string): boolean;
}
