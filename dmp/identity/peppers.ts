import { ADDRESSABLE_KINDS, IDENTIFIER_KINDS, NAMESPACED_KINDS } from '../../proto/identifier.ts';
import { COMMON_GENERATION, NAMES, olderPeppers, PEPPER_SOURCE } from '../../proto/pepper.ts';
import type { DmpDeps } from '../deps.ts';
import { generationsOf } from './tenant.ts';

/** How far a replacement of the pepper has come. */
export interface PepperState {
  /** Old peppers of the installation that are honoured. */
  readonly older: number;
  /** Keys that are known under one pepper only. Those of before the last rotation are lost when theirs is retired. */
  readonly alone: {
    readonly identifiers: number;
    readonly optOuts: number;
    readonly erased: number;
    readonly consents: number;
  };
  readonly tenants: readonly TenantPepper[];
}

export interface TenantPepper {
  readonly advertiser: string;
  /** The newest first; 0: the installation's. */
  readonly generations: readonly number[];
  /** Facts of the advertiser's sources that come in are named under a pepper of its own. */
  readonly own: boolean;
  /** Identifiers that nobody else meets and that are known under one generation only; 0 where one is honoured. */
  readonly alone: number;
}

type Deps = Pick<DmpDeps, 'warehouse' | 'things' | 'pepper'>;

const LIMITS = { seconds: 60, memoryBytes: 4 * 1024 ** 3 };
const BRIDGED = `SELECT node FROM links WHERE source = '${PEPPER_SOURCE}'`;

export async function pepperState(deps: Deps): Promise<PepperState> {
  const alone = (table: string, where: string): string =>
    `SELECT uniqExact(identifier) FROM ${table} WHERE ${where} AND identifier NOT IN (${BRIDGED})`;
  // What facts name somebody by is no identifier beside.
  const sql = `SELECT (${alone('identities', `kind != '' AND identifier NOT IN (${NAMES})`)}) AS identifiers, (${alone('opt_outs', 'active = 1')}) AS optOuts,
    (${alone('erased', '1')}) AS erased, (${alone('consents', 'granted = 0')}) AS consents`;
  const [row] = await deps.warehouse.query<Record<keyof PepperState['alone'], string>>({ sql }, LIMITS);
  const count = (name: keyof PepperState['alone']): number => Number(row?.[name] ?? 0);
  return {
    older: olderPeppers(deps.pepper).length,
    alone: {
      identifiers: count('identifiers'),
      optOuts: count('optOuts'),
      erased: count('erased'),
      consents: count('consents'),
    },
    tenants: await Promise.all(deps.things.list('advertiser').map(({ id }) => tenantPepper(deps, id))),
  };
}

const MARKET: ReadonlySet<string> = new Set(ADDRESSABLE_KINDS);
const APART = IDENTIFIER_KINDS.filter((kind) => !MARKET.has(kind));

export async function tenantPepper(deps: Deps, advertiser: string): Promise<TenantPepper> {
  const body = deps.things.get('advertiser', advertiser)?.body;
  const generations = generationsOf(body);
  return {
    advertiser,
    generations,
    own: generations.at(-1) !== COMMON_GENERATION,
    alone: generations.length === 1 ? 0 : await countAlone(deps, advertiser, body?.apart === true),
  };
}

/** By what others meet people too nobody is lost. */
async function countAlone({ warehouse, things }: Deps, advertiser: string, apart: boolean): Promise<number> {
  const sources = things.list('source').filter(({ body }) => body.advertiser === advertiser);
  const sql = `SELECT uniqExact(node) AS n FROM (
      SELECT node, max(l.kind) AS of FROM links AS l WHERE source IN {sources:Array(String)} GROUP BY node)
    WHERE of IN {kinds:Array(String)} AND node NOT IN (${BRIDGED})`;
  const params = { sources: sources.map(({ id }) => id), kinds: apart ? APART : [...NAMESPACED_KINDS] };
  const [row] = await warehouse.query<{ n: string }>({ sql, params }, LIMITS);
  return Number(row?.n ?? 0);
}
