/** What a worker tells its primary. */
export interface WorkerState {
  readonly type: 'walkin:state';
  readonly reasons: readonly string[];
  readonly snapshotVersion: number | null;
}

/** The worker cannot work at all, and neither will the next one: its port is taken. */
export interface WorkerFault {
  readonly type: 'walkin:fault';
  readonly message: string;
}

export type WorkerMessage = WorkerState | WorkerFault;

export function isWorkerMessage(message: unknown): message is WorkerMessage {
  const type = (message as { type?: unknown } | null)?.type;
  return type === 'walkin:state' || type === 'walkin:fault';
}
