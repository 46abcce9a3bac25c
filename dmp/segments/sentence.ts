import type { Language } from './node.ts';
import { kindOf } from './nodes/plan-of.ts';
import type { Rule } from './rule.ts';

const WORDS = {
  en: { people: 'People who', and: ' and ', or: ' or ', not: 'are not among those who' },
  ru: { people: 'Люди, которые', and: ' и ', or: ' или ', not: 'не относятся к тем, которые' },
} as const;

/** A rule as a sentence, so that somebody who has not written it sees whom it means. */
export function sentenceOf(rule: Rule, language: Language = 'en'): string {
  return `${WORDS[language].people} ${partOf(rule, language)}`;
}

function partOf(rule: Rule, language: Language): string {
  const { and, or, not } = WORDS[language];
  if ('all' in rule) return rule.all.map((part) => grouped(part, language, rule.all.length > 1)).join(and);
  if ('any' in rule) return rule.any.map((part) => grouped(part, language, rule.any.length > 1)).join(or);
  if ('not' in rule) return `${not} ${grouped(rule.not, language, true)}`;
  const [kind, body] = kindOf(rule);
  return kind.sentence(body, language);
}

/** Groups of several are in brackets, so that it is plain what "or" is between. */
function grouped(rule: Rule, language: Language, within: boolean): string {
  const parts = 'all' in rule ? rule.all : 'any' in rule ? rule.any : [];
  const part = partOf(rule, language);
  return within && parts.length > 1 ? `(${part})` : part;
}
