import type { Statement } from '../clickhouse/warehouse.ts';
import { grantedProfiles, refusedProfiles } from '../consents/state.ts';
import type { Level } from '../identity/kinds.ts';
import { sourcesRecorded, sourcesWithheld } from '../sources/access.ts';
import type { Things } from '../things/things.ts';
import type { Attribute, Bounds, Pages, Purchases, Redemptions, Rule, Visits, Window } from './rule.ts';

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
  /** Only profiles whose id is a multiple of this: a sample. */
  readonly every?: number;
  /** Sources whose rows do not count here; none where absent. Visits are made without them already. */
  readonly withheld?: readonly string[];
  /** Whose words count: who withdrew is nowhere, and rows of `recorded` sources count for who agreed only. Absent: nobody's. */
  readonly consents?: { readonly audience: readonly string[]; readonly recorded: readonly string[] };
  /** Whether another segment's members may count here; all may where absent. */
  mayNest?(segment: string): boolean;
}

/** The scope of a segment of an advertiser (null: shared): "any store" is any of its own. */
export function scopeOf(things: Things, advertiser: string | null, now: number): RuleScope {
  const withheld = sourcesWithheld(things, advertiser, 'profiles');
  return {
    now,
    storesOf: (group) => things.get('store-group', group)?.body.stores ?? [],
    stores:
      advertiser === null
        ? null
        : things
            .list('store')
            .filter(({ body }) => body.advertiser === advertiser)
            .map(({ id }) => id),
    withheld,
    consents: { audience: advertiser === null ? [''] : ['', advertiser], recorded: sourcesRecorded(things) },
    mayNest: (segment) => {
      const owner = things.get('segment', segment)?.body.advertiser ?? null;
      // A shared segment must not hand on what only the advertiser of a nested one may use.
      if (owner === advertiser || owner === null) return true;
      const theirs = new Set(sourcesWithheld(things, owner, 'profiles'));
      return withheld.every((source) => theirs.has(source));
    },
  };
}

/**
 * A rule that `checkRule` has passed → one statement that selects `profile` (UInt32, each once). Every value is a bound
 * parameter; the text is made of constants and parameter names only.
 *
 * A leaf selects the people whose measures lie within all bounds, where a person without a fact measures 0. So a leaf whose
 * bounds take 0 is "all but those whose facts break a bound".
 */
export function compileRule(rule: Rule, scope: RuleScope): Statement & { readonly params: Readonly<Record<string, unknown>> } {
  const bound = new Binder();
  let sampled = scope.every === undefined ? '' : `profile % ${bound.add('UInt32', scope.every)} = 0`;
  const { consents, level = 'person' } = scope;
  const group = GROUP_OF[level];
  const people = `(SELECT identifier, ${group} FROM identities FINAL${where(sampled)})`;
  const compiler: Compiler = { scope, bound, people };
  const condition = atLevel(level, compileNode(rule, compiler), sampled);
  if (level !== 'person') sampled = '';
  if (consents === undefined)
    return { sql: `SELECT DISTINCT profile FROM identities FINAL${where(sampled, condition)}`, params: bound.values };
  const agreed = `profile NOT IN (${refusedProfiles(['profiles', 'personalised_ads'])})`;
  return {
    sql: `SELECT DISTINCT profile FROM identities FINAL${where(sampled, condition, agreed)}`,
    params: { ...bound.values, audience: consents.audience, consentNow: scope.now },
  };
}

/** Below a person and above it the group stands in for the profile, so that all leaves count by it. */
const GROUP_OF: Readonly<Record<Level, string>> = {
  device: 'device AS profile',
  person: 'profile',
  household: 'household AS profile',
};

/** A condition over a group → one over the profiles that have part in it. Facts that name no device are no device's. */
function atLevel(level: Level, condition: string, sampled: string): string {
  if (level === 'person') return condition;
  const some = level === 'device' ? 'profile != 0' : '';
  const groups = `SELECT profile FROM (SELECT ${GROUP_OF[level]} FROM identities FINAL) AS groups${where(some, sampled, condition)}`;
  return `profile IN (SELECT i.profile FROM identities AS i FINAL WHERE i.${level} IN (${groups}))`;
}

interface Compiler {
  readonly scope: RuleScope;
  readonly bound: Binder;
  /** Subquery of identifier and profile. */
  readonly people: string;
}

class Binder {
  readonly values: Record<string, unknown> = {};
  #next = 0;

  /** Binds a value and returns its place in the SQL. */
  add(type: string, value: unknown): string {
    const name = `p${this.#next++}`;
    this.values[name] = value;
    return `{${name}:${type}}`;
  }

  texts(values: readonly string[]): string {
    return this.add('Array(String)', values);
  }
}

/** A condition over `profile`. */
function compileNode(rule: Rule, compiler: Compiler): string {
  if ('all' in rule) return group(rule.all, ' AND ', compiler);
  if ('any' in rule) return group(rule.any, ' OR ', compiler);
  if ('not' in rule) return `NOT ${compileNode(rule.not, compiler)}`;
  if ('purchases' in rule) return purchases(rule.purchases, compiler);
  if ('visits' in rule) return visits(rule.visits, compiler);
  if ('redemptions' in rule) return redemptions(rule.redemptions, compiler);
  if ('pages' in rule) return pages(rule.pages, compiler);
  if ('attribute' in rule) return attribute(rule.attribute, compiler);
  if ('segment' in rule) return members(rule.segment, compiler);
  return unreachable(rule);
}

function unreachable(rule: never): never {
  throw new Error(`no such rule: ${JSON.stringify(rule)}`);
}

function group(rules: readonly Rule[], operator: ' AND ' | ' OR ', compiler: Compiler): string {
  return `(${rules.map((rule) => compileNode(rule, compiler)).join(operator)})`;
}

function purchases(leaf: Purchases, compiler: Compiler): string {
  const { bound } = compiler;
  const rows = `SELECT identifier, source, receipt, amount, at FROM purchases FINAL${where(
    within('at', leaf.window, compiler),
    stores(leaf, compiler),
    described('department', leaf.departments, bound),
    described('category', leaf.categories, bound),
    described('brand', leaf.brands, bound),
    among('product', leaf.products, bound),
    among('source', leaf.sources, bound),
    counted(compiler),
  )}`;
  return peopleOf(`${joined(rows, compiler)} GROUP BY profile`, [
    ['uniqExact((source, receipt))', leaf.count],
    ['sum(amount)', leaf.sum],
    ['uniqExact(toDate(at))', leaf.days],
  ])(bound);
}

/** What the receipt line says of itself wins; where it says nothing the catalogue of its source does. */
function described(column: 'department' | 'category' | 'brand', values: readonly string[] | undefined, bound: Binder): string {
  if (values === undefined) return '';
  const listed = bound.texts(values);
  return `(${column} IN ${listed} OR ${column} = '' AND (source, product) IN (SELECT source, product FROM products FINAL WHERE ${column} IN ${listed}))`;
}

function stores(leaf: { readonly stores?: string[]; readonly storeGroups?: string[] }, compiler: Compiler): string {
  const ids = storesOf(leaf, compiler);
  return ids === null ? '' : `store IN ${compiler.bound.texts(ids)}`;
}

/** The stores that a leaf names, itself or by group; null where it names none. */
function storesOf(leaf: { readonly stores?: string[]; readonly storeGroups?: string[] }, { scope }: Compiler): string[] | null {
  if (leaf.stores === undefined && leaf.storeGroups === undefined) return null;
  return [...new Set([...(leaf.stores ?? []), ...(leaf.storeGroups ?? []).flatMap((id) => scope.storesOf(id))])];
}

function visits(leaf: Visits, compiler: Compiler): string {
  const { bound } = compiler;
  const rows = `SELECT identifier, kind, place, day, dwell FROM visits FINAL${where(
    'cancelled = 0',
    within('start', leaf.window, compiler),
    places(leaf, compiler),
    agreedVisits(compiler),
    leaf.minDwellSeconds === undefined ? '' : `dwell >= ${bound.add('Float64', leaf.minDwellSeconds)}`,
  )}`;
  // Two devices of one person see one visit twice.
  const once = `FROM (SELECT profile, kind, place, day, max(dwell) AS longest ${joined(rows, compiler)} GROUP BY profile, kind, place, day)`;
  return peopleOf(`${once} GROUP BY profile`, [
    ['count()', leaf.count],
    ['uniqExact(day)', leaf.days],
    ['sum(longest)', leaf.dwell],
  ])(bound);
}

/** A visit that a source with recorded consents has a part in counts for who agreed. */
function agreedVisits({ bound, scope: { consents } }: Compiler): string {
  const recorded = consents?.recorded ?? [];
  return recorded.length === 0 ? '' : `(NOT hasAny(sources, ${bound.texts(recorded)}) OR ${WHO_AGREED})`;
}

function places(leaf: Visits, compiler: Compiler): string {
  const { bound, scope } = compiler;
  const named = storesOf(leaf, compiler);
  if (named === null && leaf.geofences === undefined)
    return scope.stores === null ? "kind = 'store'" : `kind = 'store' AND place IN ${bound.texts(scope.stores)}`;
  const parts: string[] = [];
  if (named !== null) parts.push(`kind = 'store' AND place IN ${bound.texts(named)}`);
  if (leaf.geofences !== undefined) parts.push(`kind = 'geofence' AND place IN ${bound.texts(leaf.geofences)}`);
  return `(${parts.join(' OR ')})`;
}

function redemptions(leaf: Redemptions, compiler: Compiler): string {
  const { bound } = compiler;
  const rows = `SELECT identifier, source, id, at FROM redemptions FINAL${where(
    within('at', leaf.window, compiler),
    among('coupon', leaf.coupons, bound),
    among('promotion', leaf.promotions, bound),
    counted(compiler),
  )}`;
  return peopleOf(`${joined(rows, compiler)} GROUP BY profile`, [['uniqExact((identifier, at, source, id))', leaf.count]])(bound);
}

function pages(leaf: Pages, compiler: Compiler): string {
  const { bound } = compiler;
  const rows = `SELECT identifier, source, id, at FROM pages FINAL${where(
    within('at', leaf.window, compiler),
    leaf.urlContains === undefined ? '' : `position(url, ${bound.add('String', leaf.urlContains)}) > 0`,
    counted(compiler),
  )}`;
  return peopleOf(`${joined(rows, compiler)} GROUP BY profile`, [['uniqExact((identifier, at, source, id))', leaf.count]])(bound);
}

/** Each source's newest value counts; where sources differ any of them may fit. */
function attribute(leaf: Attribute, compiler: Compiler): string {
  const { bound } = compiler;
  const rows = `SELECT identifier, source, text, number, at FROM attributes FINAL${where(
    `name = ${bound.add('String', leaf.name)}`,
    counted(compiler),
  )}`;
  const newest = `SELECT profile, argMax((text, number), (at, identifier)) AS value ${joined(rows, compiler)} GROUP BY profile, source`;
  return `profile IN (SELECT profile FROM (${newest})${where(
    leaf.in === undefined ? '' : `value.1 IN ${bound.texts(leaf.in.map(String))}`,
    leaf.min === undefined ? '' : `ifNull(value.2 >= ${bound.add('Float64', leaf.min)}, 0)`,
    leaf.max === undefined ? '' : `ifNull(value.2 <= ${bound.add('Float64', leaf.max)}, 0)`,
  )})`;
}

/** The stored members of another segment. */
function members(segment: string, { bound, scope }: Compiler): string {
  if (scope.mayNest?.(segment) === false) return '0';
  const held = `SELECT profile FROM memberships WHERE segment = ${bound.add('String', segment)} GROUP BY profile HAVING argMax(status, version) = 1`;
  const { level = 'person' } = scope;
  return level === 'person'
    ? `profile IN (${held})`
    : `profile IN (SELECT i.${level} FROM identities AS i FINAL WHERE i.profile IN (${held}))`;
}

function joined(rows: string, { people }: Compiler): string {
  return `FROM (${rows}) AS facts INNER JOIN ${people} AS people USING identifier`;
}

/** Only rows of sources that may be used. */
function counted({ bound, scope: { withheld = [], consents } }: Compiler): string {
  const conditions = withheld.length === 0 ? [] : [`source NOT IN ${bound.texts(withheld)}`];
  const recorded = consents?.recorded ?? [];
  if (recorded.length > 0) conditions.push(`(source NOT IN ${bound.texts(recorded)} OR ${WHO_AGREED})`);
  return conditions.join(' AND ');
}

const WHO_AGREED = `identifier IN (SELECT identifier FROM identities FINAL WHERE profile IN (${grantedProfiles('profiles')}))`;

type Measure = readonly [expression: string, bounds: Bounds | undefined];

/** `from` … `GROUP BY profile` and what must hold of its groups → a condition over `profile`. */
function peopleOf(from: string, measures: readonly Measure[]): (bound: Binder) => string {
  return (bound) => {
    const given = measures.filter((measure): measure is readonly [string, Bounds] => measure[1] !== undefined);
    if (given.length === 0) return `profile IN (SELECT profile ${from})`;
    const fits = given.flatMap(([expression, { min, max }]) => [
      ...(min === undefined ? [] : [`${expression} >= ${bound.add('Float64', min)}`]),
      ...(max === undefined ? [] : [`${expression} <= ${bound.add('Float64', max)}`]),
    ]);
    const zeroFits = given.every(([, { min = 0, max = 0 }]) => min <= 0 && max >= 0);
    return zeroFits
      ? `profile NOT IN (SELECT profile ${from} HAVING NOT (${fits.join(' AND ')}))`
      : `profile IN (SELECT profile ${from} HAVING ${fits.join(' AND ')})`;
  };
}

const DAY_MS = 86_400_000;
/** The least that a DateTime64(3) holds. */
const EARLIEST = Date.UTC(1900, 0, 1);

function within(column: 'at' | 'start', window: Window | undefined, { scope, bound }: Compiler): string {
  if (window === undefined) return '';
  const time = (at: number): string =>
    bound.add("DateTime64(3, 'UTC')", new Date(at).toISOString().slice(0, -1).replace('T', ' '));
  if (window.days !== undefined) {
    return `${column} > ${time(Math.max(EARLIEST, scope.now - window.days * DAY_MS))} AND ${column} <= ${time(scope.now)}`;
  }
  const from = Date.parse(`${window.from}T00:00:00Z`);
  const to = Date.parse(`${window.to}T00:00:00Z`) + DAY_MS;
  return `${column} >= ${time(from)} AND ${column} < ${time(to)}`;
}

function among(column: string, values: readonly string[] | undefined, bound: Binder): string {
  return values === undefined ? '' : `${column} IN ${bound.texts(values)}`;
}

function where(...conditions: readonly string[]): string {
  const given = conditions.filter((condition) => condition !== '');
  return given.length === 0 ? '' : ` WHERE ${given.join(' AND ')}`;
}
