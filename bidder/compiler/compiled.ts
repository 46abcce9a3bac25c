import { decodeSnapshot } from '../../proto/snapshot.ts';
import { compileIndex } from '../core/compile.ts';
import { type Index, openIndex } from '../core/index.ts';
import { checkSnapshot } from './check.ts';

/** A published value as the workers open it. */
export interface Compiled {
  readonly version: number;
  readonly lineItems: number;
  readonly bytes: ArrayBuffer;
}

/** Throws an Error that says what is broken: the caller keeps what it has. */
export function compileValue(value: Buffer): Compiled {
  const snapshot = decodeSnapshot(value);
  checkSnapshot(snapshot);
  return {
    version: snapshot.version,
    lineItems: snapshot.lineItems.length,
    bytes: compileIndex(snapshot),
  };
}

export function openCompiled(bytes: ArrayBuffer): Index {
  return openIndex(bytes);
}
