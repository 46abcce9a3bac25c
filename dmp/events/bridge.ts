import { NAME_SOURCE, PEPPER_SOURCE } from '../../proto/pepper.ts';
import type { EdgeRow } from './rows.ts';

/** The edge between the keys of one identifier under two peppers: it is nobody's word, so it has a source of its own. */
export function bridge(key: string, older: string, kind: string, at: string): EdgeRow {
  return { a: key, kind_a: kind, b: older, kind_b: kind, source: PEPPER_SOURCE, first_seen: at, confidence: 1 };
}

/** The edge to what the facts of a holder with a pepper of its own name an identifier by, where others meet it by another. */
export function nameBridge(key: string, name: string, kind: string, at: string): EdgeRow {
  return { ...bridge(key, name, kind, at), source: NAME_SOURCE };
}
