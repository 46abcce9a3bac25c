import type { IdentifierKind } from '../../proto/identifier.ts';
import type { Thing } from '../things/things.ts';
import { PRECISION_WORDS } from './label-words.ts';
import { type LEGAL_BASES, type Source, type SourceKind, type Terms, termsOf } from './source.ts';

/** What is counted for a label. */
export interface LabelCounts {
  /** Different identifiers that the source has named. */
  readonly identifiers: number;
  /** Of those known, by the kind; null where it was not told. */
  readonly people: number;
  /** RFC 3339, or null: nothing has come yet. */
  readonly lastRefresh: string | null;
}

/** The source as the Data Transparency Standard's label: its fields, its words. `N/A` where the contract says nothing. */
export function labelOf({ id, body }: Thing<Source>, counts: LabelCounts): Record<string, unknown> {
  const terms = termsOf(body);
  const { label, owner } = terms;
  return {
    standard: 'IAB Tech Lab Data Transparency Standard 1.2',
    id,
    'Provider Name': owner?.name ?? terms.name,
    'Provider Domain': owner?.domain ?? 'N/A',
    'Data Contact': owner?.contact ?? 'N/A',
    'Privacy Policy': label.privacyPolicy ?? 'N/A',
    'Privacy Compliance Mechanism(s)': label.privacyMechanisms ?? (terms.legalBasis === null ? ['N/A'] : [basisWords(terms)]),
    'Branded Audience Name': label.audienceName ?? terms.name,
    'Taxonomy ID List': label.taxonomyIds ?? [],
    'Audience Criteria': label.criteria ?? 'N/A',
    'Audience Precision Level(s)': terms.precision === null ? ['N/A'] : [PRECISION_WORDS[terms.precision]],
    'Audience Scope': terms.party === '3p' ? 'Cross-domain outside O&O' : 'Cross-domain within O&O',
    'Originating Domain': label.originatingDomain ?? owner?.domain ?? 'N/A',
    'Audience Size': counts.people,
    'ID Count': counts.identifiers,
    'ID Type(s)': idTypes(terms.identifierKinds),
    Geography: label.geographies ?? ['N/A'],
    'Data Sources': label.dataSources ?? dataSources(terms.kinds),
    'Data Inclusion Methodology': label.methodology ?? 'Observed/Known',
    'Audience Expansion': label.audienceExpansion ?? 'No',
    'Device Expansion': label.deviceExpansion ?? 'No',
    'Audience Refresh Cadence': cadenceOf(terms.refreshHours === null ? null : terms.refreshHours / 24),
    'Last Refresh': counts.lastRefresh ?? 'N/A',
    'Source Lookback Window': cadenceOf(label.lookbackDays ?? null),
    Onboarder:
      label.onboarder === undefined || label.onboarder === null
        ? 'N/A'
        : {
            Name: label.onboarder.name ?? 'N/A',
            'Match Keys': label.onboarder.matchKeys,
            'Audience Expansion': label.onboarder.audienceExpansion,
            'Device Expansion': label.onboarder.deviceExpansion,
            'Audience Precision Level': PRECISION_WORDS[label.onboarder.precision],
          },
  };
}

const BASIS_WORDS: Readonly<Record<(typeof LEGAL_BASES)[number], string>> = {
  consent: 'Consent',
  contract: 'Contract',
  legal_obligation: 'Legal obligation',
  vital_interests: 'Vital interests',
  public_task: 'Public task',
  legitimate_interest: 'Legitimate interest',
  not_personal: 'Not personal data',
};

function basisWords({ legalBasis }: Terms): string {
  return legalBasis === null ? 'N/A' : BASIS_WORDS[legalBasis];
}

const ID_WORDS: Partial<Readonly<Record<IdentifierKind, string>>> = {
  ifa: 'Mobile ID',
  exchange: 'Platform ID',
  cookie: 'Cookie ID',
  email: 'User-enabled ID',
  phone: 'User-enabled ID',
};

/** Kinds that the standard has no word for are proprietary ids. */
function idTypes(kinds: readonly IdentifierKind[] | null): string[] {
  if (kinds === null) return ['N/A'];
  return [...new Set(kinds.map((kind) => ID_WORDS[kind] ?? 'Proprietary ID'))];
}

const SOURCE_WORDS: Readonly<Record<SourceKind, string>> = {
  purchase: 'Offline Transaction',
  ping: 'Geo Location',
  identify: 'Loyalty Card',
  page: 'Web Usage',
  redemption: 'Transaction',
  action: 'App Behavior',
  product: 'N/A',
  stock: 'N/A',
};

function dataSources(kinds: readonly SourceKind[] | null): string[] {
  if (kinds === null) return ['N/A'];
  return [...new Set(kinds.map((kind) => SOURCE_WORDS[kind]))];
}

/** Longest span of each word, days. */
const CADENCE_DAYS = [
  ['Intra-day', 0.99],
  ['Daily', 1],
  ['Weekly', 7],
  ['Monthly', 31],
  ['Bi-Monthly', 62],
  ['Quarterly', 92],
  ['Bi-Annually', 184],
] as const;

export function cadenceOf(days: number | null): string {
  if (days === null) return 'N/A';
  return CADENCE_DAYS.find(([, longest]) => days <= longest)?.[0] ?? 'Annually';
}
