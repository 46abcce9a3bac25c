import { isBridge } from '../../proto/pepper.ts';
import { readWords } from '../consents/state.ts';
import { standing, wordView } from '../consents/words.ts';
import type { DmpDeps } from '../deps.ts';
import { optedOutProfiles } from '../opt-out/opt-out.ts';
import { segmentSentence } from '../segments/sentence.ts';
import type { PersonKeys } from './person.ts';
import { SEEN, type Sight, sightParams } from './sight.ts';

type Deps = Pick<DmpDeps, 'warehouse' | 'things' | 'now'>;
type Row = Record<string, string | number>;

const LAST = 20;
/** Enough to tell two apart, too little to look one up. */
const SHOWN = 8;
const time = (expression: string): string => `formatDateTime(${expression}, '%Y-%m-%dT%H:%i:%SZ', 'UTC')`;

/** Everything that a key may see of a person, newest first. */
export async function viewOf(deps: Deps, person: PersonKeys, sight: Sight): Promise<object> {
  const { warehouse, things, now } = deps;
  const params = { ...sightParams(sight), keys: person.keys, profile: person.profile };
  const ask = (sql: string): Promise<Row[]> => warehouse.query<Row>({ sql, params }, { seconds: 30 });
  const facts = ['purchases', 'pings', 'pages', 'redemptions', 'actions', 'attributes'];
  const [links, members, purchases, visits, bids, counted, words, optedOut] = await Promise.all([
    ask(`SELECT toString(l.node) AS node, toString(l.source) AS source, ${time('min(l.first_seen)')} AS first, ${time('max(l.last_seen)')} AS last
      FROM links AS l WHERE l.node IN {keys:Array(UUID)} AND NOT ${isBridge('l.source')} AND ${SEEN.source(sight)} GROUP BY l.node, l.source ORDER BY source`),
    ask(`SELECT toString(segment) AS segment, ${time('argMax(m.at, version)')} AS since FROM memberships AS m
      WHERE profile = {profile:UInt32} AND ${SEEN.segment()} GROUP BY segment HAVING argMax(status, version) = 1 ORDER BY segment`),
    ask(`SELECT ${time('max(p.at)')} AS time, toString(source) AS from, any(store) AS place, receipt, sum(amount) AS micros,
        toString(any(currency)) AS money, count() AS lines
      FROM purchases AS p FINAL WHERE identifier IN {keys:Array(UUID)} AND ${SEEN.source(sight)}
      GROUP BY source, receipt ORDER BY max(p.at) DESC LIMIT ${LAST}`),
    ask(`SELECT toString(kind) AS kind, place, toString(day) AS day, ${time('start')} AS began, dwell FROM visits FINAL
      WHERE identifier IN {keys:Array(UUID)} AND ${SEEN.visit(sight)} ORDER BY start DESC LIMIT ${LAST}`),
    ask(`SELECT toString(type) AS type, ${time('e.at')} AS time, toString(campaign) AS campaign, toString(line_item) AS line_item,
        toString(creative) AS creative, toString(exchange) AS exchange
      FROM ad_events AS e FINAL WHERE identifier IN {keys:Array(UUID)} AND type IN ('impression', 'click') AND ${SEEN.bid(sight)}
      ORDER BY e.at DESC LIMIT ${LAST}`),
    ask(
      facts
        .map(
          (table) => `SELECT toString(source) AS source, '${table}' AS kind, count() AS rows FROM ${table} FINAL
            WHERE identifier IN {keys:Array(UUID)} AND ${SEEN.source(sight)} GROUP BY source`,
        )
        .join(' UNION ALL '),
    ),
    readWords(warehouse, person.keys, sight.advertiser === null ? null : ['', sight.advertiser]),
    optedOutProfiles(warehouse),
  ]);
  const sources = [...new Set([...links, ...counted].map(({ source }) => String(source)))].sort();
  return {
    id: person.profile,
    optedOut: optedOut.has(person.profile),
    identifiers: person.identifiers.flatMap(({ identifier, kind }) => {
      const own = links.filter(({ node }) => node === identifier);
      // By which a holder's facts name another of them.
      if (own.length === 0) return [];
      return [
        {
          ...{ kind, key: `${identifier.slice(0, SHOWN)}…`, sources: own.map(({ source }) => source) },
          firstSeen: own.map(({ first }) => first).sort()[0] ?? null,
          lastSeen:
            own
              .map(({ last }) => last)
              .sort()
              .at(-1) ?? null,
        },
      ];
    }),
    segments: members.flatMap(({ segment, since }) => {
      const body = things.get('segment', String(segment))?.body;
      return body === undefined ? [] : [{ id: segment, name: body.name, since, reason: segmentSentence(body, 'en') }];
    }),
    purchases: purchases.map((row) => ({
      ...{ at: row['time'], source: row['from'], store: row['place'], receipt: row['receipt'] },
      ...{ amountMicros: Number(row['micros']), currency: row['money'], lines: Number(row['lines']) },
    })),
    visits: visits.map(({ kind, place, day, began, dwell }) => ({ kind, place, day, start: began, dwellSeconds: dwell })),
    exposures: bids.map(({ type, time: at, campaign, line_item: lineItem, creative, exchange }) => ({
      ...{ type, at, campaign, lineItem, creative, exchange },
    })),
    consents: { purposes: standing(words, now()), history: words.map(wordView) },
    sources: sources.map((id) => ({
      ...{ id, name: things.get('source', id)?.body.name ?? id },
      rows: Object.fromEntries(counted.filter(({ source }) => source === id).map(({ kind, rows }) => [kind, Number(rows)])),
    })),
  };
}
