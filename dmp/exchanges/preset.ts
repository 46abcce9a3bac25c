import type { ExchangeInput } from './exchange.ts';

/** What is known of an exchange: a fact that Walkin can act on is a setting, the others are notes for people. */
export interface Preset {
  readonly title: string;
  readonly notes: readonly string[];
  readonly settings: Partial<Omit<ExchangeInput, 'name' | 'preset' | 'token' | 'priceKeys' | 'signatureSecret'>>;
}
