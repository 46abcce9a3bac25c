import type { Level } from '../identity/kinds.ts';
import type { Language } from './node.ts';
import { kindOf } from './nodes/plan-of.ts';
import type { Rule } from './rule.ts';
import { percentOf } from './unit.ts';

const WORDS = {
  en: { people: 'People who', and: ' and ', or: ' or ', not: 'are not among those who' },
  ru: { people: 'Люди, которые', and: ' и ', or: ' или ', not: 'не относятся к тем, которые' },
} as const;

const TOGETHER: Readonly<Record<Level, Readonly<Record<Language, string>>>> = {
  device: { en: 'Each of their devices is looked at by itself.', ru: 'Каждое их устройство рассматривается отдельно.' },
  person: { en: '', ru: '' },
  household: {
    en: 'What all of a household did is counted together, and all of it are in the segment.',
    ru: 'Всё, что делали живущие вместе, считается вместе, и в сегмент входят все они.',
  },
};

/** Whom a segment means: its rule, and what counts as theirs. */
export function segmentSentence(
  { rule, level = 'person', confidence }: { readonly rule: Rule; readonly level?: Level; readonly confidence?: number },
  language: Language,
): string {
  const sentence = sentenceOf(rule, language);
  const sure = percentOf(confidence);
  const more = [TOGETHER[level][language], sure === 0 ? '' : sureWords(sure, language)].filter((words) => words !== '');
  return more.length === 0 ? sentence : `${sentence}. ${more.join(' ')}`;
}

function sureWords(percent: number, language: Language): string {
  if (language === 'en') return `Only what is theirs with a certainty of at least ${percent} % counts.`;
  return `Учитывается только то, что относится к ним с уверенностью не менее ${percent} %.`;
}

/** A rule as a sentence, so that somebody who has not written it sees whom it means. */
export function sentenceOf(rule: Rule, language: Language = 'en'): string {
  return `${WORDS[language].people} ${partOf(rule, language)}`;
}

function partOf(rule: Rule, language: Language): string {
  const { and, or, not } = WORDS[language];
  if ('all' in rule) return partsOf(rule.all, language).join(and);
  if ('any' in rule) return partsOf(rule.any, language).join(or);
  if ('not' in rule) return `${not} ${grouped(rule.not, language, true)}`;
  const [kind, body] = kindOf(rule);
  return kind.sentence(body, language);
}

/** What is not wanted is in brackets unless it comes last, so that it is plain where it ends. */
function partsOf(rules: readonly Rule[], language: Language): string[] {
  return rules.map((part, at) => {
    if (!('not' in part) || at === rules.length - 1) return grouped(part, language, rules.length > 1);
    return `${WORDS[language].not} (${partOf(part.not, language)})`;
  });
}

/** Groups of several are in brackets, so that it is plain what "or" is between. */
function grouped(rule: Rule, language: Language, within: boolean): string {
  const parts = 'all' in rule ? rule.all : 'any' in rule ? rule.any : [];
  const part = partOf(rule, language);
  return within && parts.length > 1 ? `(${part})` : part;
}
