import type { Rule } from './rule.ts';

type Leaf = Readonly<Record<string, unknown>>;

/** A rule as a sentence, so that somebody who has not written it sees why a person is in the segment. */
export function sentenceOf(rule: Rule): string {
  if ('all' in rule) return joined(rule.all, ' and ');
  if ('any' in rule) return joined(rule.any, ' or ');
  if ('not' in rule) return `not ${grouped(rule.not)}`;
  if ('segment' in rule) return `is in segment ${rule.segment}`;
  const [name, leaf] = Object.entries(rule)[0] as [string, Leaf];
  const { name: attribute, window, ...rest } = leaf;
  const what = attribute === undefined ? name : `${name} ${String(attribute)}`;
  const parts = Object.entries(rest).map(([member, value]) => partOf(member, value));
  if (attribute !== undefined) {
    const { min, max } = leaf;
    const bounds = boundsOf({ min, max }, 1);
    const listed = Array.isArray(leaf['in']) ? [`is ${leaf['in'].map(String).join(' or ')}`] : [];
    return [what, ...listed, ...(bounds === '' ? [] : [bounds])].join(' ');
  }
  return [
    [what, parts.filter((part) => part !== '').join(', ')].filter((part) => part !== '').join(': '),
    windowOf(window as Leaf),
  ]
    .filter((part) => part !== '')
    .join(' ');
}

function joined(rules: readonly Rule[], word: string): string {
  return rules.map(grouped).join(word);
}

function grouped(rule: Rule): string {
  const isGroup = 'all' in rule || 'any' in rule;
  return isGroup ? `(${sentenceOf(rule)})` : sentenceOf(rule);
}

function partOf(member: string, value: unknown): string {
  if (Array.isArray(value)) return `${worded(member)} ${value.join(' or ')}`;
  if (typeof value === 'object' && value !== null)
    return `${worded(member)} ${boundsOf(value as Leaf, member === 'sum' ? 1e6 : 1)}`;
  return `${worded(member)} ${String(value)}`;
}

/** storeGroups → store groups. */
function worded(member: string): string {
  return member.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function boundsOf({ min, max }: Leaf, unit: number): string {
  const from = min === undefined ? [] : [`at least ${Number(min) / unit}`];
  const to = max === undefined ? [] : [`at most ${Number(max) / unit}`];
  return [...from, ...to].join(' and ');
}

function windowOf(window: Leaf | undefined): string {
  if (window === undefined) return '';
  const { days, from, to } = window;
  if (days !== undefined) return `in the last ${String(days)} days`;
  return [...(from === undefined ? [] : [`from ${String(from)}`]), ...(to === undefined ? [] : [`to ${String(to)}`])].join(' ');
}
