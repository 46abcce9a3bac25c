import type { DmpDeps } from '../deps.ts';

const LIMITS = { seconds: 30 };
const NEVER = new Date(0).toISOString();

/**
 * Takes back what was said of two identifiers being one, by a source or (null) by all that said so. With the next refresh those
 * whom nothing else joins part. Who names them together afterwards joins them again.
 *
 * @returns the sources that had said so
 */
export async function withdraw(
  { warehouse, now }: Pick<DmpDeps, 'warehouse' | 'now'>,
  a: string,
  b: string,
  source: string | null,
): Promise<string[]> {
  const sql = `SELECT source, max(l.first_seen) AS seen FROM links AS l WHERE node = {a:UUID} AND neighbour = {b:UUID}
    GROUP BY source HAVING max(l.named) > max(l.withdrawn)`;
  const said = await warehouse.query<{ source: string; seen: string }>({ sql, params: { a, b } }, LIMITS);
  const taken = said.filter((row) => source === null || row.source === source);
  const withdrawn = new Date(now()).toISOString();
  await warehouse.insert(
    'links',
    taken.flatMap(({ source: by, seen }) => {
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
        { ...row, node: a, neighbour: b },
        { ...row, node: b, neighbour: a },
      ];
    }),
  );
  return taken.map((row) => row.source);
}
