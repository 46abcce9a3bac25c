import { Type } from 'typebox';
import type { BodyOf } from '../members.ts';
import type { NodeKind } from '../node.ts';
import { inBuckets } from './sample.ts';

const FIELDS = {
  campaign: Type.String({ maxLength: 64, description: 'id of the campaign' }),
};
export type Holdout = BodyOf<typeof FIELDS> & { readonly campaign: string };

export const holdout: NodeKind<Holdout> = {
  says: 'Whom a campaign holds out, as the bidders decide it: they see none of its ads. Of a campaign without a holdout, or that is gone: nobody.',
  fields: FIELDS,
  required: ['campaign'],
  examples: [{ campaign: 'cmp_1' }],
  check: ({ campaign }, pointer, { named, fault }) => {
    if (!named.has('campaign', campaign)) fault(`${pointer}/campaign`, 'unknown_campaign', `no campaign ${campaign}`);
  },
  plan: ({ campaign }, { bound, scope }) => {
    const { salt, share } = scope.holdoutOf?.(campaign) ?? { salt: '', share: 0 };
    return inBuckets(salt, 0, share, bound);
  },
  sentence: ({ campaign }, language) =>
    language === 'en' ? `are held out of campaign ${campaign}` : `входят в контрольную группу кампании ${campaign}`,
};
