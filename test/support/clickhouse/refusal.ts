/** An exception of a server's own, numbered as it numbers them. */
export class Refusal extends Error {
  constructor(code: number, name: string, message: string) {
    super(`Code: ${code}. DB::Exception: ${message}. (${name})`);
  }
}

const FORBIDDEN = [192, 193, 516, 512, 497];
const BAD_REQUEST = [36, 427, 6, 25, 26, 38, 41, 72, 433, 675, 27, 376, 15, 44, 8, 48, 1, 167, 168, 191, 62, 117, 53, 69];
const NOT_FOUND = [60, 46, 47, 50, 56, 81, 115, 73, 336, 78, 511];
const OTHERS: Readonly<Record<number, number>> = { 194: 401, 223: 413, 48: 501, 209: 503, 76: 503, 381: 411, 159: 408, 439: 503 };

/** The status that a server answers an exception with. */
export function statusOf(code: number): number {
  const other = OTHERS[code];
  if (other !== undefined) return other;
  if (FORBIDDEN.includes(code)) return 403;
  if (BAD_REQUEST.includes(code)) return 400;
  return NOT_FOUND.includes(code) ? 404 : 500;
}

export function codeOf(message: string): number {
  return Number(/Code: (\d+)/.exec(message)?.[1] ?? 1002);
}
