import { GppModel } from '@iabgpp/cmpapi';
import { GVL, PurposeRestriction, type RestrictionType, TCModel, TCString } from '@iabtechlabtcf/core';

/** Consent strings as the IAB's own libraries write them. */

export interface GivenConsent {
  readonly purposes?: readonly number[];
  readonly interests?: readonly number[];
  readonly features?: readonly number[];
  readonly vendors?: readonly number[];
  readonly interestVendors?: readonly number[];
  /** Null: the string has no such segment. */
  readonly disclosed?: readonly number[] | null;
  readonly restrictions?: readonly { purpose: number; type: RestrictionType; vendors: readonly number[] }[];
  readonly created?: Date;
  readonly policy?: number;
}

const PURPOSES = Array.from({ length: 11 }, (_, at) => at + 1);
const MOST_VENDORS = 400;

export function tcString(given: GivenConsent): string {
  const model = new TCModel(vendorList());
  model.cmpId = 7;
  model.cmpVersion = 1;
  model.isServiceSpecific = true;
  model.purposeConsents.set([...(given.purposes ?? [])]);
  model.purposeLegitimateInterests.set([...(given.interests ?? [])]);
  model.specialFeatureOptins.set([...(given.features ?? [])]);
  model.vendorConsents.set([...(given.vendors ?? [])]);
  model.vendorLegitimateInterests.set([...(given.interestVendors ?? [])]);
  model.vendorsDisclosed.set([...(given.disclosed ?? [])]);
  for (const { purpose, type, vendors } of given.restrictions ?? [])
    for (const vendor of vendors) model.publisherRestrictions.add(vendor, new PurposeRestriction(purpose, type));
  const created = given.created ?? new Date(Date.UTC(2026, 5, 1));
  model.created = created;
  model.lastUpdated = created;
  const text = TCString.encode(model);
  const segments = text.split('.').filter((segment, at) => at === 0 || given.disclosed !== null || !segment.startsWith('I'));
  return (given.policy === undefined ? segments : [withPolicy(segments[0] as string, given.policy), ...segments.slice(1)]).join(
    '.',
  );
}

/** The six bits of the policy version are a character of their own: bits 132 to 137. */
function withPolicy(core: string, policy: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return core.slice(0, 22) + alphabet.charAt(policy) + core.slice(23);
}

/** Everybody may rest each purpose on either basis, so that the library keeps what a test asks for. */
function vendorList(): GVL {
  const vendor = (id: number) => ({
    id,
    name: `vendor ${id}`,
    purposes: PURPOSES,
    legIntPurposes: PURPOSES,
    flexiblePurposes: PURPOSES,
    specialPurposes: [],
    features: [],
    specialFeatures: [1],
  });
  return new GVL({
    gvlSpecificationVersion: 3,
    vendorListVersion: 100,
    tcfPolicyVersion: 5,
    lastUpdated: '2026-01-01T00:00:00Z',
    purposes: Object.fromEntries(PURPOSES.map((id) => [id, { id }])),
    specialPurposes: {},
    features: {},
    specialFeatures: { 1: { id: 1 } },
    stacks: {},
    dataCategories: {},
    vendors: Object.fromEntries(Array.from({ length: MOST_VENDORS }, (_, at) => [at + 1, vendor(at + 1)])),
  } as unknown as ConstructorParameters<typeof GVL>[0]);
}

/** By section name and field: `{ usnat: { SaleOptOut: 1 } }`. */
export function gppString(sections: Record<string, Record<string, unknown>>): string {
  const model = new GppModel();
  for (const [section, fields] of Object.entries(sections))
    for (const [field, value] of Object.entries(fields)) model.setFieldValue(section, field, value);
  return model.encode();
}
