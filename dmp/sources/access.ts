import type { IdentifierKind } from '../../proto/identifier.ts';
import type { Fault } from '../problem.ts';
import type { Thing, Things } from '../things/things.ts';
import type { Purpose } from './purposes.ts';
import { type Source, type SourceKind, termsOf } from './source.ts';

/** What of one row the contract decides on. */
export interface Arrival {
  readonly kind: SourceKind;
  readonly identifierKinds: readonly IdentifierKind[];
}

/**
 * Faults of a row that the source's contract does not allow; null: it may be taken. A source that is no thing (the default
 * one) has no contract. Pure and cheap: call it for every row.
 */
export function allows(source: Source | undefined, { kind, identifierKinds }: Arrival): Fault[] | null {
  if (source === undefined) return null;
  const terms = termsOf(source);
  const faults: Fault[] = [];
  if (terms.revoked !== null)
    faults.push({ pointer: '', code: 'source_revoked', message: 'the contract of the source has ended' });
  if (terms.kinds !== null && !terms.kinds.includes(kind))
    faults.push({ pointer: '/type', code: 'kind_not_allowed', message: `the contract of the source has no ${kind}` });
  const { identifierKinds: allowed } = terms;
  if (allowed !== null)
    identifierKinds.forEach((identifierKind, index) => {
      if (allowed.includes(identifierKind)) return;
      const message = `the contract of the source has no ${identifierKind}`;
      faults.push({ pointer: `/identifiers/${index}/kind`, code: 'kind_not_allowed', message });
    });
  return faults.length === 0 ? null : faults;
}

/** Whether an advertiser (null: everybody, as of a shared segment) may use the source's data for the purpose. */
export function mayUse(source: Source, advertiser: string | null, purpose: Purpose): boolean {
  const { revoked, purposes } = termsOf(source);
  return revoked === null && purposes.includes(purpose) && isGranted(source, advertiser);
}

/** Whether the contract names the advertiser, or all. The holder of the contract is always in it. */
export function isGranted(source: Source, advertiser: string | null): boolean {
  const { advertisers, advertiser: holder } = termsOf(source);
  if (advertisers === null && holder === null) return true;
  return advertiser !== null && (advertiser === holder || (advertisers ?? []).includes(advertiser));
}

/** Whether a key of the advertiser (null: of all) may bring data to the source. */
export function mayBring(source: Source | undefined, advertiser: string | null): boolean {
  if (source === undefined || advertiser === null) return true;
  const { advertiser: holder } = termsOf(source);
  return holder === null ? isGranted(source, advertiser) : holder === advertiser;
}

/**
 * Ids of the sources whose rows do not count for an advertiser and a purpose. What is no thing has no contract and counts.
 * Sorted, so that equal sets are equal texts.
 */
export function sourcesWithheld(things: Things, advertiser: string | null, purpose: Purpose): string[] {
  return things
    .list('source')
    .filter(({ body }) => !mayUse(body, advertiser, purpose))
    .map(({ id }) => id)
    .sort();
}

/** Ids of the sources whose rows count only for people whose consent is on record. */
export function sourcesRecorded(things: Things): string[] {
  return things
    .list('source')
    .filter(({ body }) => termsOf(body).consent === 'recorded')
    .map(({ id }) => id)
    .sort();
}

/** Ids of the sources whose contract has ended. */
export function sourcesRevoked(things: Things): string[] {
  return things
    .list('source')
    .filter(({ body }) => termsOf(body).revoked !== null)
    .map(({ id }) => id)
    .sort();
}

/** What a key that is bound to an advertiser may know of: sources that it may use or holds. */
export function maySeeSource({ body }: Thing<Source>, advertiser: string | null): boolean {
  return advertiser === null || isGranted(body, advertiser);
}
