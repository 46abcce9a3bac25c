import { chance, hashText, logNormal, TOPIC } from '../city/chance.ts';

/** What the other bidders of an auction do. Hashed from the auction's id: they do not depend on us or on time. */
export interface Rivalry {
  /** CPM below which nothing is sold. */
  readonly floor: number;
  /** Best bid of the others, CPM; at least the floor counts as a bid of the house. */
  readonly best: number;
}

export interface Outcome {
  readonly won: boolean;
  /** First price: what the winner bid, CPM. */
  readonly clearing: number;
  /** CPM that would have won. */
  readonly minToWin: number;
}

const MEDIAN_RIVAL = 2.1;
const RIVAL_SPREAD = 0.5;

export function rivalryOf(seed: number, auction: string): Rivalry {
  const key = hashText(auction);
  const floor = toCents(0.3 + 0.9 * chance(seed, TOPIC.floor, key));
  const rivals = 1 + Math.floor(chance(seed, TOPIC.rivals, key) * 5);
  let best = floor;
  for (let rival = 0; rival < rivals; rival++) best = Math.max(best, toCents(rivalBid(seed, key, rival)));
  return { floor, best };
}

function rivalBid(seed: number, key: number, rival: number): number {
  const [u, v] = [chance(seed, TOPIC.rivals, key, rival, 1), chance(seed, TOPIC.rivals, key, rival, 2)];
  return logNormal(MEDIAN_RIVAL, RIVAL_SPREAD, Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(2 * Math.PI * v));
}

/** A first-price auction: the highest bid wins and pays itself; a tie goes to the other. */
export function holdAuction(rivalry: Rivalry, bid: number): Outcome {
  const minToWin = toCents(rivalry.best + 0.01);
  const won = bid >= rivalry.floor && bid > rivalry.best;
  return { won, clearing: won ? bid : rivalry.best, minToWin };
}

function toCents(cpm: number): number {
  return Math.round(cpm * 100) / 100;
}
