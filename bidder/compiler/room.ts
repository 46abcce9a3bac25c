/**
 * Memory for indexes. What is shared is not counted towards a heap: to take it does not make the garbage collector look through all that
 * the worker has, which otherwise each swap does, for 10 to 60 ms on a busy machine. It is freed by the collections that come anyway.
 * So that indexes which nobody serves any more do not pile up until then, there is a bound; what is beyond it is counted.
 */
export type Room = (bytes: number) => ArrayBufferLike;

const UNCOUNTED_BYTES = 48 << 20;
/** The one that is served, and the one that takes its place. */
const LEAST_UNCOUNTED = 2;

export function createRoom(): Room {
  let uncounted = 0;
  const freed = new FinalizationRegistry<number>((bytes) => {
    uncounted -= bytes;
  });
  return (bytes) => {
    if (uncounted + bytes > Math.max(UNCOUNTED_BYTES, LEAST_UNCOUNTED * bytes)) return new ArrayBuffer(bytes);
    const room = new SharedArrayBuffer(bytes);
    uncounted += bytes;
    freed.register(room, bytes);
    return room;
  };
}
