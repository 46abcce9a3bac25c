/** Statements at once, each on one thread: rows of one thread are in order already, and need not be merged. */
export const AT_ONCE = 2;

/** Works through a list, so many at once; told how far it is, 0 to 1. The first failure ends it. */
export async function inTurns<T>(
  work: readonly T[],
  take: (one: T, share: number) => Promise<void>,
  atOnce = AT_ONCE,
): Promise<void> {
  let next = 0;
  let failure: unknown = null;
  const worker = async (): Promise<void> => {
    while (next < work.length && failure === null)
      await take(work[next] as T, next++ / work.length).catch((error: unknown) => {
        failure ??= error;
      });
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (failure !== null) throw failure;
}
