/** What we use of autocannon; it brings no types. */
declare module 'autocannon' {
  interface Result {
    readonly requests: { readonly total: number };
    /** Seconds. */
    readonly duration: number;
    readonly errors: number;
  }
  export default function autocannon(options: {
    readonly url: string;
    readonly connections: number;
    readonly duration: number;
    readonly requests: readonly {
      readonly method: 'POST';
      readonly path: string;
      readonly body: Buffer;
      readonly headers: Readonly<Record<string, string>>;
    }[];
  }): Promise<Result>;
}
