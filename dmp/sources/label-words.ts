import { Type } from 'typebox';
import { nullable, oneOf } from '../http/schema.ts';

/** Words of the IAB Tech Lab's Data Transparency Standard (datalabel.org), version 1.2, and what a contract says in ours. */

export const PRECISIONS = ['individual', 'household', 'business', 'device', 'browser', 'geography'] as const;
export type Precision = (typeof PRECISIONS)[number];

export const PRECISION_WORDS: Readonly<Record<Precision, string>> = {
  individual: 'Individual',
  household: 'Household',
  business: 'Business',
  device: 'Device ID',
  browser: 'Browser',
  geography: 'Geography',
};

export const DATA_SOURCES = [
  'App Behavior',
  'App Usage',
  'Web Usage',
  'Geo Location',
  'Email',
  'TV OTT or STB Device',
  'Online Ecommerce',
  'Credit Data',
  'Loyalty Card',
  'Transaction',
  'Online Survey',
  'Offline Survey',
  'Public Record: Census',
  'Public Record: Voter File',
  'Public Record: Other',
  'Offline Transaction',
] as const;

export const METHODS = ['Observed/Known', 'Declared', 'Derived', 'Inferred', 'Modeled'] as const;

const YesNo = oneOf(['Yes', 'No', 'N/A']);
const Text = (maxLength: number) => Type.String({ minLength: 1, maxLength });
const closed = { additionalProperties: false } as const;

/** What a label says that follows from nothing else in the contract. */
export const LabelInput = Type.Object(
  {
    audienceName: Type.Optional(Text(200)),
    taxonomyIds: Type.Optional(
      Type.Array(Type.String({ pattern: '^[0-9]{1,6}$' }), {
        maxItems: 100,
        uniqueItems: true,
        description: 'of the IAB Audience Taxonomy 1.1',
      }),
    ),
    criteria: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
    dataSources: Type.Optional(Type.Array(oneOf(DATA_SOURCES), { uniqueItems: true })),
    methodology: Type.Optional(oneOf(METHODS)),
    audienceExpansion: Type.Optional(YesNo),
    deviceExpansion: Type.Optional(YesNo),
    lookbackDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 3_650 })),
    geographies: Type.Optional(
      Type.Array(Type.String({ pattern: '^[A-Z]{3}$' }), { maxItems: 250, uniqueItems: true, description: 'ISO 3166-1 alpha-3' }),
    ),
    privacyPolicy: Type.Optional(Type.String({ pattern: '^https://\\S+$', maxLength: 500 })),
    privacyMechanisms: Type.Optional(
      Type.Array(Text(100), { maxItems: 20, uniqueItems: true, description: 'such as TCF (EU), US Privacy, GPP' }),
    ),
    originatingDomain: Type.Optional(Type.String({ maxLength: 253 })),
    onboarder: Type.Optional(
      nullable(
        Type.Object(
          {
            name: Type.Optional(Text(200)),
            matchKeys: Type.Array(oneOf(['Name', 'Address', 'Email', 'Phone', 'IP Address', 'Cookie', 'Mobile ID', 'N/A']), {
              uniqueItems: true,
            }),
            audienceExpansion: YesNo,
            deviceExpansion: YesNo,
            precision: oneOf(PRECISIONS),
          },
          closed,
        ),
      ),
    ),
  },
  closed,
);
