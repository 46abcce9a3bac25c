/** What the bidder's processes tell each other: workers and the compiler their primary, the primary its workers. */

/** From a worker, every second. */
export interface WorkerState {
  readonly type: 'walkin:state';
  readonly reasons: readonly string[];
  readonly snapshotVersion: number | null;
}

/** From a worker that cannot work at all, and neither will the next one: its port is taken. */
export interface WorkerFault {
  readonly type: 'walkin:fault';
  readonly message: string;
}

/** From a worker that has no index, or came too late for the one it was told of. */
export interface IndexWanted {
  readonly type: 'walkin:index-wanted';
}

/** From the compiler, and by the primary to all workers: an index is there. */
export interface IndexMade {
  readonly type: 'walkin:index';
  readonly version: number;
  readonly path: string;
  /** Milliseconds that each step took. */
  readonly took: { readonly [Step in CompilerStep]: number };
}

/** To read and prepare what was new of the snapshot, to compile it all, and to leave the index in a file. */
export const COMPILER_STEPS = ['read', 'compile', 'write'] as const;
export type CompilerStep = (typeof COMPILER_STEPS)[number];

/** From the compiler, and by the primary to all workers: a snapshot was published that is broken. */
export interface SnapshotRefused extends Refusal {
  readonly type: 'walkin:refused';
}

/** What is wrong with a snapshot. */
export interface Refusal {
  /** Null where it cannot be told. */
  readonly version: number | null;
  readonly error: string;
}

/** From the compiler: it begins with a snapshot. If it dies now, the snapshot has killed it. */
export interface Compiling {
  readonly type: 'walkin:compiling';
}

/** From the compiler, and by the primary to workers: nothing has been published yet. */
export interface NoIndex {
  readonly type: 'walkin:no-index';
}

export type WorkerMessage = WorkerState | WorkerFault | IndexWanted;
export type CompilerMessage = Compiling | IndexMade | SnapshotRefused | NoIndex;
export type PrimaryMessage = IndexMade | SnapshotRefused | NoIndex;

const FROM_WORKER: ReadonlySet<string> = new Set(['walkin:state', 'walkin:fault', 'walkin:index-wanted']);
const FROM_COMPILER: ReadonlySet<string> = new Set(['walkin:compiling', 'walkin:index', 'walkin:refused', 'walkin:no-index']);
const FROM_PRIMARY: ReadonlySet<string> = new Set(['walkin:index', 'walkin:refused', 'walkin:no-index']);

/** Other libraries use the same channel. */
export const isWorkerMessage = (message: unknown): message is WorkerMessage => FROM_WORKER.has(typeOf(message));
export const isCompilerMessage = (message: unknown): message is CompilerMessage => FROM_COMPILER.has(typeOf(message));
export const isPrimaryMessage = (message: unknown): message is PrimaryMessage => FROM_PRIMARY.has(typeOf(message));

function typeOf(message: unknown): string {
  return String((message as { type?: unknown } | null)?.type);
}
