import { Type } from 'typebox';
import { IDENTIFIER_KINDS, type IdentifierKind } from '../../../proto/identifier.ts';
import type { BodyOf } from '../members.ts';
import type { NodeKind } from '../node.ts';
import { kindsKnown } from '../unit.ts';
import { anyOf } from '../words.ts';

const FIELDS = {
  any: Type.Array(Type.Unsafe<IdentifierKind>({ type: 'string', enum: [...IDENTIFIER_KINDS] }), {
    minItems: 1,
    maxItems: IDENTIFIER_KINDS.length,
    description: 'kinds of which one must be known',
  }),
};
export type Identifiers = BodyOf<typeof FIELDS> & { readonly any: readonly IdentifierKind[] };

export const identifiers: NodeKind<Identifiers> = {
  says: 'Can be reached by an identifier of a kind: an e-mail, a phone, a device that bids name.',
  fields: FIELDS,
  required: ['any'],
  examples: [{ any: ['email', 'phone'] }, { any: ['ifa', 'exchange', 'cookie'] }],
  check: () => undefined,
  plan: ({ any }, compiler) => {
    const rows = `kind = 'person' AND hasAny(${kindsKnown(compiler)}, ${compiler.bound.texts(any)})`;
    return { measures: [`countIf(${rows})`], rows, edges: [], holds: ([count]) => `${count} > 0` };
  },
  sentence: ({ any }, language) =>
    language === 'en' ? `are known by ${anyOf([...new Set(any)], 'en')}` : `известны по ${anyOf([...new Set(any)], 'ru')}`,
};
