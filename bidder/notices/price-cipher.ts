import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Micros } from '../../proto/money.ts';

/**
 * Google's encryption of what an exchange tells: `iv[16] || payload XOR pads || signature[4]`, web-safe Base64
 * (developers.google.com/authorized-buyers/rtb/response-guide/decrypt-price). Pure.
 */

/** Both keys in base64, 32 bytes. */
export interface CipherKeys {
  readonly encryptionKey: string;
  readonly integrityKey: string;
}

export interface DecryptedPrice {
  /** CPM in the account's currency. */
  readonly micros: Micros;
  /** When the exchange made the message, epoch ms. */
  readonly at: number;
  /** Hex; of one message and never of another. */
  readonly iv: string;
}

const IV = 16;
const SIGNATURE = 4;
const PAD = 20;
const PRICE = 8;
/** 28 bytes, with or without padding. */
const PRICE_TEXT = /^[A-Za-z0-9_-]{38}(==)?$/;

/** The price, or null where the text is none that these keys made. */
export function decryptPrice(text: string, keys: CipherKeys): DecryptedPrice | null {
  if (!PRICE_TEXT.test(text)) return null;
  const message = Buffer.from(text, 'base64url');
  const payload = decrypt(message, keys);
  if (payload === null || payload.length !== PRICE) return null;
  const micros = Number(payload.readBigInt64BE());
  if (micros < 0 || !Number.isSafeInteger(micros)) return null;
  // The first half of the iv is a time: seconds, then microseconds.
  const at = message.readUInt32BE(0) * 1_000 + Math.floor(message.readUInt32BE(4) / 1_000);
  return { micros, at, iv: message.toString('hex', 0, IV) };
}

/** The payload of a message of any length, or null where its signature is not of these keys. */
export function decrypt(message: Buffer, keys: CipherKeys): Buffer | null {
  if (message.length <= IV + SIGNATURE) return null;
  const iv = message.subarray(0, IV);
  const payload = crypt(message.subarray(IV, -SIGNATURE), iv, keys.encryptionKey);
  return timingSafeEqual(signatureOf(payload, iv, keys.integrityKey), message.subarray(-SIGNATURE)) ? payload : null;
}

/** The message of a payload under an iv of 16 bytes: what an exchange does; the simulated one and the tests. */
export function encrypt(payload: Buffer, iv: Buffer, keys: CipherKeys): Buffer {
  return Buffer.concat([iv, crypt(payload, iv, keys.encryptionKey), signatureOf(payload, iv, keys.integrityKey)]);
}

/** XOR with pads of 20 bytes, each an HMAC of the iv and the number of the pad before: its own inverse. */
function crypt(input: Buffer, iv: Buffer, key: string): Buffer {
  const output = Buffer.alloc(input.length);
  let pad: Buffer = Buffer.alloc(0);
  for (let at = 0; at < input.length; at++) {
    if (at % PAD === 0) pad = hmac(key, at === 0 ? iv : Buffer.concat([iv, Buffer.of(at / PAD - 1)]));
    output[at] = (input[at] as number) ^ (pad[at % PAD] as number);
  }
  return output;
}

function signatureOf(payload: Buffer, iv: Buffer, key: string): Buffer {
  return hmac(key, Buffer.concat([payload, iv])).subarray(0, SIGNATURE);
}

function hmac(key: string, data: Buffer): Buffer {
  return createHmac('sha1', Buffer.from(key, 'base64')).update(data).digest();
}
