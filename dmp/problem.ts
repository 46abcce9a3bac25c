import { CODES, type ErrorCode } from './http/codes.ts';

export type { ErrorCode };

/** One thing that is wrong with what was sent: where (JSON pointer), what (a stable code), and a sentence. */
export interface Fault {
  readonly pointer: string;
  readonly code: ErrorCode;
  readonly message: string;
}

export interface ProblemOptions {
  readonly detail?: string;
  readonly errors?: readonly Fault[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that is an error (RFC 9457). Thrown anywhere below a route; the app writes it as application/problem+json. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly code: ErrorCode;
  readonly title: string;
  readonly detail: string | undefined;
  readonly errors: readonly Fault[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: ErrorCode, title: string = CODES[code], options: ProblemOptions = {}) {
    super(options.detail === undefined ? title : `${title}: ${options.detail}`);
    this.status = status;
    this.code = code;
    this.title = title;
    this.detail = options.detail;
    this.errors = options.errors ?? [];
    this.headers = options.headers ?? {};
  }
}

/** 422 with all faults of a body. */
export function invalid(faults: readonly Fault[], title = 'The body is not valid'): Problem {
  return new Problem(422, 'validation', title, { errors: faults });
}

export function notFound(what: string): Problem {
  return new Problem(404, 'not_found', `There is no ${what}`);
}
