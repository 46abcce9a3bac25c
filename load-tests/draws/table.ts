import Table from 'cli-table3';
import { drawCity } from '../city/city.ts';
import type { CitySettings } from '../city/settings.ts';
import { type Deviation, type Spread, spreadOf } from './deviation.ts';
import { type Draw, isFair, pepperOf } from './draw.ts';
import { splitsOf } from './splits.ts';

const SPLITS = 1_000;
const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)}`;
const people = (value: number): string => String(Math.round(value));

/** Of one draw, as it ends. */
export function sentence(draw: Draw): string {
  const { truth, measured, conclusion, deviation } = draw;
  const arms = isFair(draw) ? 'arms fair' : `arms not fair: ${faults(draw)}`;
  if (measured === null || deviation === null) return `${conclusion} ${arms}`;
  const off = `${signed(deviation.visitors)}, ${signed(deviation.lift)} and ${signed(deviation.revenue)} standard errors`;
  return `${people(truth)} more visitors, measured ${people(measured.point)}; visitors, lift and revenue off by ${off}; ${arms}`;
}

/** A row a draw: the estimate beside the truth, and how far off it is in standard errors. */
export function table(draws: readonly Draw[]): string {
  const head = [
    'draw',
    'treated',
    'held out',
    'truth',
    'measured',
    '95 % interval',
    'z visitors',
    'z lift',
    'z revenue',
    'arms fair',
  ];
  const rows = new Table({ head, colAligns: head.map(() => 'right' as const), style: { head: [], border: [] } });
  for (const draw of draws) rows.push(cells(draw));
  return rows.toString();
}

function cells(draw: Draw): string[] {
  const { number, truth, measured, deviation, told } = draw;
  return [
    String(number),
    people(told.treated.people),
    people(told.control.people),
    people(truth),
    measured === null ? 'nothing' : people(measured.point),
    measured === null ? '' : `${people(measured.lo)} to ${people(measured.hi)}`,
    ...(['visitors', 'lift', 'revenue'] as const).map((what) => (deviation === null ? '' : signed(deviation[what]))),
    isFair(draw) ? 'yes' : `no: ${faults(draw)}`,
  ];
}

function faults({ fair, told, byPepper }: Draw): string {
  const arm = (name: 'treated' | 'control'): string => `${told[name].people} of ${fair[name].people} ${name}`;
  return `${arm('treated')}, ${arm('control')}, ${fair.moved} moved, ${byPepper.length} by the pepper`;
}

/** The last line. `splits`: what the draw alone does, over a thousand peppers and the people of the first draw. `off`: visitors and money that the report has and the city has not, over all draws. */
export function summary(settings: CitySettings, draws: readonly Draw[]) {
  const peppers = Array.from({ length: SPLITS }, (_, n) => pepperOf(settings.seed, n + 1));
  const deviations = draws.flatMap(({ deviation }) => (deviation === null ? [] : [deviation]));
  const spread = (what: keyof Deviation): Spread | null => rounded(spreadOf(deviations.map((one) => one[what])));
  const { shoppers, days, seed, effect, holdout } = settings;
  return {
    draws: draws.length,
    concluded: deviations.length,
    city: { shoppers, days, seed, effect, holdout },
    visitors: spread('visitors'),
    lift: spread('lift'),
    revenue: spread('revenue'),
    fair: draws.filter(isFair).length,
    splits: rounded(splitsOf(drawCity(settings), draws[0]?.first ?? [], peppers)),
    off: { treated: off(draws, 'treated'), control: off(draws, 'control') },
  };
}

function rounded(spread: Spread | null): Spread | null {
  if (spread === null) return null;
  const short = (value: number): number => Math.round(value * 1000) / 1000;
  return { ...spread, mean: short(spread.mean), deviation: short(spread.deviation), bound: short(spread.bound) };
}

function off(draws: readonly Draw[], arm: 'treated' | 'control'): { visitors: number; revenueMicros: number } {
  const sum = (what: 'visitors' | 'revenueMicros'): number =>
    draws.reduce((total, { fair, told }) => total + told[arm][what] - fair[arm][what], 0);
  return { visitors: sum('visitors'), revenueMicros: sum('revenueMicros') };
}
