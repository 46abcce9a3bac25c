import { PEPPER_SOURCE } from '../../proto/pepper.ts';
import type { EdgeRow } from './rows.ts';

/** The edge between the keys of one identifier under two peppers: it is nobody's word, so it has a source of its own. */
export function bridge(key: string, older: string, kind: string, at: string): EdgeRow {
  return { a: key, kind_a: kind, b: older, kind_b: kind, source: PEPPER_SOURCE, first_seen: at, confidence: 1 };
}
