import type { SendableKind } from '../identity/sendable.ts';
import type { DestinationKind } from '../sources/purposes.ts';
import { type Destination, isOfDevices } from './destination.ts';
import type { Sent } from './sent.ts';

/** Some lines of a file. */
export interface Lines {
  readonly text: string;
  readonly rows: number;
  readonly identifiers: number;
  /** Identifiers that the destination could not read. */
  readonly skipped: number;
}

/** How the files of a kind of destination look. */
export interface Format {
  readonly extension: string;
  /** `segment`: a file for each segment, and one for who is added and who removed; `all`: one file for everything. */
  readonly files: 'segment' | 'all';
  /** First line; '' where there is none. */
  readonly header: string;
  /** What must come together. */
  readonly by: 'person' | 'identifier';
  lines(sent: readonly Sent[]): Lines;
}

type Column = readonly [header: string, kind: SendableKind];

/**
 * Google Customer Match: CSV in UTF-8, headers in English, "Email" and "Phone", SHA-256 in hex of what Google's rules make of them
 * (support.google.com/google-ads/answer/7659867). Google's upload says for each file whether it adds, removes or replaces.
 */
const GOOGLE: readonly Column[] = [
  ['Email', 'email_google'],
  ['Phone', 'phone_google'],
];

/** Google's template for mobile device ids: one column, IDFA and AAID alike as they are. A list has these or contacts, never both. */
const GOOGLE_DEVICES: readonly Column[] = [['Mobile Device ID', 'ifa']];

/**
 * Meta customer list: columns "email", "phone", "madid" (facebook.com/business/help/2082575038703844), SHA-256 in hex of the first
 * two; the advertising id as it is. Several keys in a row are one person.
 */
const META: readonly Column[] = [
  ['email', 'email_meta'],
  ['phone', 'phone_meta'],
  ['madid', 'ifa'],
];

/**
 * Yandex Audience, CRM data: first line with the names of the fields, "phone" and "email" in lower case, of which each line has one;
 * SHA-256 (yandex.com/support/audience/en/file). Fewer than 100 lines are refused there.
 */
const YANDEX: readonly Column[] = [
  ['phone', 'phone_yandex'],
  ['email', 'email_yandex'],
];

/**
 * Yandex Audience, device ids: an id a line and no header. Whose it is its letters say, lower case for Android and upper case for Apple
 * (yandex.com/dev/audience/doc/intro/data-requirements).
 */
const YANDEX_DEVICES: Format = {
  extension: 'csv',
  files: 'segment',
  by: 'identifier',
  header: '',
  lines: (sent) => {
    let text = '';
    for (const { value } of sent) text += `${cell(value)}\n`;
    return { text, rows: sent.length, identifiers: sent.length, skipped: 0 };
  },
};

export function formatOf(destination: Destination): Format {
  const kind: DestinationKind = destination.kind;
  if (kind === 'google_customer_match') return table(isOfDevices(destination) ? GOOGLE_DEVICES : GOOGLE);
  if (kind === 'meta_custom_audience') return table(META);
  if (kind === 'yandex_audience') return isOfDevices(destination) ? YANDEX_DEVICES : table(YANDEX);
  if (kind === 'parquet') return { ...csv(destination), extension: 'parquet' };
  return kind === 'xandr' ? xandr(destination) : csv(destination);
}

/** One row a person, and more where there are several values of a kind. */
function table(columns: readonly Column[]): Format {
  return {
    extension: 'csv',
    files: 'segment',
    by: 'person',
    header: `${columns.map(([header]) => header).join(',')}\n`,
    lines: (sent) => {
      let text = '';
      let rows = 0;
      for (const person of grouped(sent, (one) => one.person)) {
        const values = columns.map(([, kind]) => person.filter((one) => one.kind === kind).map(({ value }) => cell(value)));
        const height = Math.max(...values.map(({ length }) => length));
        for (let row = 0; row < height; row++) text += `${values.map((column) => column[row] ?? '').join(',')}\n`;
        rows += height;
      }
      return { text, rows, identifiers: sent.length, skipped: 0 };
    },
  };
}

const SEPARATORS = [':', ';', ','] as const;
const MINUTES_A_DAY = 1_440;
const XANDR_ID = /^\d{1,20}$/;

/** Behind the last separator: what a device's id is. */
const XANDR_DEVICES: Readonly<Partial<Record<SendableKind, string>>> = { idfa: '^3', gaid: '^8' };

/**
 * Xandr's batch segment service, text: `<user id>:<code>,<expiration>,<value>;…`, expiration in minutes, −1 removes; of a device's id
 * whose it is at the end (learn.microsoft.com/xandr/digital-platform-api/legacy-bss-file-format). Separators are set with the account: these
 * are the ones that the import preset segments-xandr reads too. A line a user, as the service asks its senders to deduplicate.
 */
function xandr({ exchange, expirationDays, segments }: Destination): Format {
  const [afterId, between, within] = SEPARATORS;
  const prefix = `${exchange}:`;
  const codes = codesOf(segments);
  return {
    extension: 'txt',
    files: 'all',
    by: 'identifier',
    header: '',
    lines: (sent) => {
      const own = sent.filter(
        ({ kind, value }) => kind !== 'exchange' || (value.startsWith(prefix) && XANDR_ID.test(value.slice(prefix.length))),
      );
      const users = grouped(own, ({ kind, value }) => `${kind}:${value}`);
      let text = '';
      for (const user of users) {
        const blocks = user.map(({ segment, op }) =>
          [codes.get(segment) ?? segment, op === 1 ? expirationDays * MINUTES_A_DAY : -1, op].join(within),
        );
        const { kind, value } = user[0] as Sent;
        const [id, domain] = kind === 'exchange' ? [value.slice(prefix.length), ''] : [value, XANDR_DEVICES[kind] ?? ''];
        text += `${id}${afterId}${blocks.join(between)}${domain}\n`;
      }
      return { text, rows: users.length, identifiers: own.length, skipped: sent.length - own.length };
    },
  };
}

/** Columns of what is for programs of any kind. */
export const COLUMNS = ['segment', 'operation', 'kind', 'value'] as const;

/** Their values: one row an identifier. */
export function rowOf({ segment, op, kind, value }: Sent, codes: ReadonlyMap<string, string>): string[] {
  return [codes.get(segment) ?? segment, op === 1 ? 'add' : 'remove', kind, value];
}

function csv({ segments }: Destination): Format {
  const codes = codesOf(segments);
  return {
    extension: 'csv',
    files: 'all',
    by: 'identifier',
    header: `${COLUMNS.join(',')}\n`,
    lines: (sent) => {
      let text = '';
      for (const one of sent) text += `${rowOf(one, codes).map(cell).join(',')}\n`;
      return { text, rows: sent.length, identifiers: sent.length, skipped: 0 };
    },
  };
}

/** Names of the segments there. */
export function codesOf(segments: Destination['segments']): ReadonlyMap<string, string> {
  return new Map(segments.map(({ segment, code }) => [segment, code ?? segment]));
}

/** A program for tables takes what begins so for a formula (owasp.org, CSV injection); an apostrophe makes it a text. */
const FORMULA = /^[=+\-@\t\r]/;
const QUOTED = /[",\n\r]/;

export function cell(value: string): string {
  const text = FORMULA.test(value) ? `'${value}` : value;
  return QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Runs of equal keys. */
function grouped<Item>(items: readonly Item[], keyOf: (item: Item) => unknown): Item[][] {
  const groups: Item[][] = [];
  let last: unknown;
  for (const item of items) {
    const key = keyOf(item);
    if (groups.length === 0 || key !== last) groups.push([]);
    groups.at(-1)?.push(item);
    last = key;
  }
  return groups;
}
