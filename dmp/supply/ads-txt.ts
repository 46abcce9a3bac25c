import { isDomain } from '../advertisers/domain.ts';
import type { Fault } from '../problem.ts';

/** One line of an ads.txt or app-ads.txt: who may sell. */
export interface AdsTxtRecord {
  /** Domain of the seller system, lower case. */
  readonly system: string;
  /** The seller's account there. */
  readonly account: string;
  readonly relationship: 'DIRECT' | 'RESELLER';
  /** Id of the system at a certification authority, or null. */
  readonly certification: string | null;
}

/** An ads.txt as it is kept. */
export interface AdsTxt {
  readonly records: readonly AdsTxtRecord[];
  /** CONTACT, SUBDOMAIN, OWNERDOMAIN, MANAGERDOMAIN, INVENTORYPARTNERDOMAIN, in their order. */
  readonly variables: readonly { readonly name: string; readonly value: string }[];
}

export interface LineFault extends Pick<Fault, 'code' | 'message'> {
  /** From 1. */
  readonly line: number;
}

const VARIABLE = /^([A-Za-z]+)\s*=\s*(.*)$/;
const VARIABLES = new Set(['CONTACT', 'SUBDOMAIN', 'OWNERDOMAIN', 'MANAGERDOMAIN', 'INVENTORYPARTNERDOMAIN']);
const LONGEST_FIELD = 200;

/**
 * Reads ads.txt 1.1 (IAB Tech Lab): a line is a record of three or four fields, a variable, or nothing; `#` begins a comment and
 * `;` an extension. A line that cannot be read is a fault, and the others count.
 */
export function parseAdsTxt(text: string): AdsTxt & { readonly faults: readonly LineFault[] } {
  const records: AdsTxtRecord[] = [];
  const variables: { name: string; value: string }[] = [];
  const faults: LineFault[] = [];
  for (const [at, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = (raw.split('#', 1)[0] ?? '').trim();
    if (line === '') continue;
    const variable = line.split(',', 1)[0]?.includes('=') ? VARIABLE.exec(line) : null;
    if (variable !== null) {
      const name = (variable[1] ?? '').toUpperCase();
      // Others are of versions to come: to be skipped, says the specification.
      if (VARIABLES.has(name)) variables.push({ name, value: (variable[2] ?? '').trim().slice(0, LONGEST_FIELD) });
      continue;
    }
    const record = recordOf(line);
    if (typeof record === 'string') faults.push({ line: at + 1, code: 'bad_seller', message: record });
    else records.push(record);
  }
  return { records, variables, faults };
}

/** A record, or what is wrong with it. */
function recordOf(line: string): AdsTxtRecord | string {
  const [system = '', account = '', relationship = '', certification = ''] = (line.split(';', 1)[0] ?? '')
    .split(',')
    .map((field) => field.trim());
  if (!isDomain(system.toLowerCase())) return 'the first field is not a domain name';
  if (account === '' || account.length > LONGEST_FIELD || /\s/.test(account)) return 'the second field is not an account';
  const kind = relationship.toUpperCase();
  if (kind !== 'DIRECT' && kind !== 'RESELLER') return 'the third field is neither DIRECT nor RESELLER';
  return {
    system: system.toLowerCase(),
    account,
    relationship: kind,
    certification: certification === '' ? null : certification.slice(0, LONGEST_FIELD),
  };
}
