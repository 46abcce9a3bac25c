/**
 * A long text that is made of many short ones, as bytes. Strings that live until a batch is full cost more in garbage collection
 * (45 % of an import's time) than all that makes them, so they become bytes while they are young.
 */
export interface GrowingText {
  add(text: string): void;
  /** All of it; the text begins anew. */
  take(): Uint8Array;
}

const YOUNG = 16 * 1024;

export function createGrowingText(): GrowingText {
  let young = '';
  let bytes = Buffer.allocUnsafeSlow(256 * 1024);
  let length = 0;
  const settle = (): void => {
    // Three bytes a character are the most that UTF-8 takes.
    const needed = length + young.length * 3;
    if (needed > bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, bytes.length * 2));
      bytes.copy(larger, 0, 0, length);
      bytes = larger;
    }
    length += bytes.write(young, length);
    young = '';
  };
  return {
    add: (text) => {
      young += text;
      if (young.length > YOUNG) settle();
    },
    take: () => {
      settle();
      const all = bytes.subarray(0, length);
      bytes = Buffer.allocUnsafeSlow(256 * 1024);
      length = 0;
      return all;
    },
  };
}
