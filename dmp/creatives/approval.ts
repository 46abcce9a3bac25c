import { type Static, Type } from 'typebox';
import { nullable, oneOf } from '../http/schema.ts';

/** How a creative stands with an exchange that looks at creatives before it shows them. */
export const ApprovalInput = Type.Object(
  {
    state: oneOf(['pending', 'approved', 'rejected'], { description: 'only an approved creative is bid there' }),
    reason: nullable(Type.String({ minLength: 1, maxLength: 500 }), { default: null }),
  },
  { additionalProperties: false },
);
export type ApprovalInput = Static<typeof ApprovalInput>;

export interface Approval extends ApprovalInput {
  readonly creative: string;
  readonly exchange: string;
  /**
   * Where the exchange's loss notices said so and nobody else: epoch ms from which it is asked again, and how often it was. An
   * exchange that looks at creatives by being bid them would otherwise never tell that it has approved one.
   */
  readonly retry: { readonly at: number; readonly times: number } | null;
}

/** Id of the thing: neither part can hold a dot. */
export function approvalId(creative: string, exchange: string): string {
  return `${creative}.${exchange}`;
}
