import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import { currentPepper, olderPeppers } from '../../proto/pepper.ts';

/** Encrypts what must be read again, so that at rest it is of no use without the pepper. */
export interface Sealer {
  /** `bound` says what it belongs to: opened for another it fails. */
  seal(text: string, bound: string): string;
  /** Throws where it was sealed with another pepper, for something else, or changed. */
  open(sealed: string, bound: string): string;
}

const NONCE = 12;
const TAG = 16;

/**
 * AES-256-GCM under a key derived of the pepper (HKDF, RFC 5869). The nonce is made of what is sealed, so that the same value is the same
 * text and a repeated row no new one: that two are equal their keys say anyway. 96 bits of an HMAC repeat after 2^48 values.
 * Of a ring of peppers the current one seals, and what was sealed under those that are still honoured is opened.
 */
export function createSealer(pepper: string): Sealer {
  const current = createLock(currentPepper(pepper));
  const locks = [current, ...olderPeppers(pepper).map(createLock)];
  return {
    seal: current.seal,
    open: (sealed, bound) => {
      for (const [n, lock] of locks.entries()) {
        try {
          return lock.open(sealed, bound);
        } catch (error) {
          if (n === locks.length - 1) throw error;
        }
      }
      throw new Error('no pepper');
    },
  };
}

/** Under one pepper. */
function createLock(pepper: string): Sealer {
  const keyOf = (use: string): Buffer => Buffer.from(hkdfSync('sha256', pepper, 'walkin', use, 32));
  const key = keyOf('seal 1');
  const nonceKey = keyOf('seal 1 nonce');
  return {
    seal: (text, bound) => {
      const nonce = createHmac('sha256', nonceKey).update(`${bound}\n${text}`).digest().subarray(0, NONCE);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(bound));
      return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url');
    },
    open: (sealed, bound) => {
      const bytes = Buffer.from(sealed, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE));
      decipher.setAAD(Buffer.from(bound)).setAuthTag(bytes.subarray(-TAG));
      return decipher.update(bytes.subarray(NONCE, -TAG), undefined, 'utf8') + decipher.final('utf8');
    },
  };
}
