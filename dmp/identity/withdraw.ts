import type { DmpDeps } from '../deps.ts';

const LIMITS = { seconds: 30 };
const NEVER = new Date(0).toISOString();

/**
 * Takes back what was said of two identifiers being one, by a source or (null) by all that said so. With the next refresh those
 * whom nothing else joins part. Who names them together afterwards joins them again.
 *
 * @param of the keys of the one, and of the other: under each pepper that is honoured
 * @returns the sources that had said so
 */
export async function withdraw(
  { warehouse, now }: Pick<DmpDeps, 'warehouse' | 'now'>,
  of: readonly string[],
  other: readonly string[],
  source: string | null,
): Promise<string[]> {
  const sql = `SELECT node, neighbour, source, max(l.first_seen) AS seen FROM links AS l
    WHERE node IN {of:Array(UUID)} AND neighbour IN {other:Array(UUID)}
    GROUP BY node, neighbour, source HAVING max(l.named) > max(l.withdrawn) ORDER BY source`;
  const said = await warehouse.query<Said>({ sql, params: { of, other } }, LIMITS);
  const taken = said.filter((row) => source === null || row.source === source);
  const withdrawn = new Date(now()).toISOString();
  await warehouse.insert(
    'links',
    taken.flatMap(({ node, neighbour, source: by, seen }) => {
      const row = {
        source: by,
        kind: '',
        neighbour_kind: '',
        confidence: 0,
        first_seen: seen,
        last_seen: NEVER,
        named: NEVER,
        withdrawn,
      };
      return [
        { ...row, node, neighbour },
        { ...row, node: neighbour, neighbour: node },
      ];
    }),
  );
  return [...new Set(taken.map((row) => row.source))];
}

interface Said {
  readonly node: string;
  readonly neighbour: string;
  readonly source: string;
  readonly seen: string;
}
