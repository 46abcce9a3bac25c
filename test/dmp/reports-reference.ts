import type { AdFact, Facts } from './reports-facts.ts';
import { NOBODY } from './reports-facts.ts';

/** The report again, slow and obvious, in memory: what the SQL is held against. */

export interface Question {
  readonly campaign: string;
  readonly from: number;
  readonly to: number;
  readonly clickDays: number;
  readonly viewDays: number;
  readonly groupBy: readonly ('campaign' | 'lineItem' | 'store' | 'day')[];
  readonly stores: readonly string[];
}

const DAY = 86_400_000;
const dayOf = (at: number) => new Date(at).toISOString().slice(0, 10);

interface Cell {
  bids: number;
  wins: number;
  exposures: number;
  exposed: Set<string>;
  clicks: number;
  visits: number;
  visitors: Set<string>;
  purchases: number;
  revenueMicros: number;
  spendMicros: number;
  viewers: number;
}

export function referenceReport(facts: Facts, question: Question) {
  const people = peopleOf(facts);
  const ads = facts.ads.filter((ad) => ad.campaign === question.campaign && !ad.test);
  const cells = new Map<string, Cell>();
  const totals = emptyCell();
  const add = (lineItem: string, store: string, at: number, change: (cell: Cell) => void) => {
    const values = { campaign: question.campaign, lineItem, store, day: dayOf(at) };
    const key = JSON.stringify(Object.fromEntries(question.groupBy.map((dimension) => [dimension, values[dimension]])));
    const cell = cells.get(key) ?? emptyCell();
    cells.set(key, cell);
    change(cell);
    change(totals);
  };
  for (const ad of ads) {
    if (ad.at < question.from || ad.at >= question.to) continue;
    const person = people.ofAd(ad);
    if (!['bid', 'win', 'impression', 'click'].includes(ad.type) && ad.cost === 0) continue;
    add(ad.lineItem, ad.store, ad.at, (cell) => {
      if (ad.type === 'bid') cell.bids++;
      if (ad.type === 'win') cell.wins++;
      if (ad.type === 'impression') {
        cell.exposures++;
        cell.viewers += ad.exposures ?? 1;
        if (person !== '') cell.exposed.add(person);
      }
      if (ad.type === 'click') cell.clicks++;
      cell.spendMicros += ad.cost;
    });
  }
  const creditOf = (person: string, at: number): AdFact | undefined => {
    const before = ads.filter((ad) => people.ofAd(ad) === person && person !== '' && ad.at <= at);
    const last = (type: string, days: number) =>
      before
        .filter((ad) => ad.type === type && days > 0 && at - ad.at <= days * DAY)
        .sort((a, b) => a.at - b.at || (a.bid < b.bid ? -1 : 1))
        .at(-1);
    return last('click', question.clickDays) ?? last('impression', question.viewDays);
  };
  const visits = visitsOf(facts, question, people);
  for (const visit of visits) {
    const credit = creditOf(visit.person, visit.at);
    if (credit === undefined) continue;
    add(credit.lineItem, visit.store, visit.at, (cell) => {
      cell.visits++;
      cell.visitors.add(visit.person);
    });
  }
  const receipts = receiptsOf(facts, question, people);
  for (const receipt of receipts) {
    const credit = creditOf(receipt.person, receipt.at);
    if (credit === undefined) continue;
    add(credit.lineItem, receipt.store, receipt.at, (cell) => {
      if (receipt.total >= 0) cell.purchases++;
      cell.revenueMicros += receipt.revenue;
    });
  }
  const rows = [...cells].map(([key, cell]) => ({ ...(JSON.parse(key) as Record<string, string>), ...shown(cell) }));
  return { rows, totals: shown(totals), arms: armsOf(ads, question, people, visits, receipts) };
}

function armsOf(
  ads: readonly AdFact[],
  question: Question,
  people: People,
  visits: readonly { person: string; at: number }[],
  receipts: readonly { person: string; at: number; revenue: number; total: number }[],
) {
  const arms = {
    treated: { people: 0, exposed: 0, visitors: 0, buyers: 0, revenueMicros: 0 },
    control: { people: 0, exposed: 0, visitors: 0, buyers: 0, revenueMicros: 0 },
  };
  const decided = new Set(ads.filter((ad) => ad.bidAt < question.to).map((ad) => people.ofAd(ad)));
  decided.delete('');
  for (const person of decided) {
    const own = ads.filter((ad) => people.ofAd(ad) === person && ad.bidAt < question.to);
    const first = own.sort((a, b) => a.bidAt - b.bidAt || (a.bid < b.bid ? -1 : 1))[0] as AdFact;
    const arm = first.type === 'ghost' ? arms.control : arms.treated;
    arm.people++;
    if (own.some((ad) => ad.type === 'impression' && ad.at < question.to)) arm.exposed++;
    if (visits.some((visit) => visit.person === person && visit.at > first.bidAt)) arm.visitors++;
    const after = receipts.filter((receipt) => receipt.person === person && receipt.at > first.bidAt);
    if (after.some((receipt) => receipt.total >= 0)) arm.buyers++;
    for (const receipt of after) arm.revenueMicros += receipt.revenue;
  }
  return arms;
}

type People = ReturnType<typeof peopleOf>;

function peopleOf(facts: Facts) {
  const profiles = new Map(facts.identities.map(({ identifier, profile }) => [identifier, `p${profile}`]));
  const of = (identifier: string) => profiles.get(identifier) ?? `a${identifier}`;
  return {
    of,
    ofAd: (ad: AdFact): string => {
      const known = profiles.get(ad.identifier) ?? profiles.get(ad.anchor);
      if (known !== undefined) return known;
      if (ad.anchor !== NOBODY) return `a${ad.anchor}`;
      return ad.identifier === NOBODY ? '' : `a${ad.identifier}`;
    },
  };
}

function visitsOf(facts: Facts, question: Question, people: People) {
  const first = new Map<string, { person: string; store: string; at: number }>();
  for (const visit of facts.visits) {
    if (visit.cancelled || !question.stores.includes(visit.store)) continue;
    const person = people.of(visit.identifier);
    const key = `${person} ${visit.store} ${dayOf(visit.start)}`;
    const known = first.get(key);
    if (known === undefined || visit.start < known.at) first.set(key, { person, store: visit.store, at: visit.start });
  }
  return [...first.values()].filter((visit) => visit.at >= question.from && visit.at < question.to);
}

function receiptsOf(facts: Facts, question: Question, people: People) {
  const receipts = new Map<string, { person: string; store: string; at: number; revenue: number; total: number }>();
  for (const line of facts.lines) {
    if (!question.stores.includes(line.store) || line.at < question.from || line.at >= question.to) continue;
    const known = receipts.get(line.receipt) ?? {
      person: people.of(line.identifier),
      store: line.store,
      at: line.at,
      revenue: 0,
      total: 0,
    };
    known.total += line.amount;
    if (line.currency === 'USD') known.revenue += line.amount;
    receipts.set(line.receipt, known);
  }
  return [...receipts.values()];
}

function emptyCell(): Cell {
  return {
    bids: 0,
    wins: 0,
    exposures: 0,
    exposed: new Set(),
    clicks: 0,
    visits: 0,
    visitors: new Set(),
    purchases: 0,
    revenueMicros: 0,
    spendMicros: 0,
    viewers: 0,
  };
}

function shown(cell: Cell) {
  const { bids, wins, exposures, clicks, visits, purchases, revenueMicros, spendMicros, viewers } = cell;
  return {
    bids,
    wins,
    exposures,
    exposedPeople: cell.exposed.size,
    clicks,
    visits,
    visitors: cell.visitors.size,
    purchases,
    revenueMicros,
    spendMicros,
    viewers,
    dataMicros: 0,
    costMicros: spendMicros,
  };
}
