import type { TSchema } from 'typebox';
import type { Language, NodeCheck } from './node.ts';
import type { Compiler } from './plan.ts';

/** Something that people do, as leaves count it and sequences put it in order: which facts it is, and the filters among them. */
export interface EventKind<Filters> {
  readonly fields: Readonly<Record<string, TSchema>>;
  /** The condition over `facts`: its kind, the filters, the rows that count. No window. */
  rows(filters: Filters, compiler: Compiler): string;
  check(filters: Filters, pointer: string, check: NodeCheck): void;
  /** "bought milk at store st_1": continues "people who …"; Russian in the plural past: «люди, которые …». */
  words(filters: Filters, language: Language): string;
}
