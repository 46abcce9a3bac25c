import cluster, { type Worker } from 'node:cluster';
import type { DebugQuestion } from '../../proto/debug.ts';
import type { Debugger, DebugReply } from './debugger.ts';

/** What the primary and its workers tell each other about questions of the debugger. */
interface Asked {
  readonly type: 'walkin:debug-asked';
  readonly id: number;
  readonly question: DebugQuestion;
}

interface Told {
  readonly type: 'walkin:debug-told';
  readonly id: number;
  readonly reply: DebugReply;
}

/** Asks workers. Those that do not answer in time are left out. */
export interface Workers {
  /** One that runs, each in its turn; null where none answers. */
  askOne(question: DebugQuestion): Promise<DebugReply | null>;
  askAll(question: DebugQuestion): Promise<DebugReply[]>;
}

const PATIENCE_MS = 15_000;

/** In a worker: answers its primary. */
export function answerPrimary(worker: Debugger): void {
  process.on('message', (message: unknown) => {
    if (!isMessage<Asked>(message, 'walkin:debug-asked')) return;
    const { id, question } = message;
    void worker.answer(question).then((reply) => {
      const told: Told = { type: 'walkin:debug-told', id, reply };
      if (process.connected) process.send?.(told);
    });
  });
}

/** In the primary. */
export function workersOfCluster(): Workers {
  const waiting = new Map<number, (reply: DebugReply | null) => void>();
  let counter = 0;
  let turn = 0;
  cluster.on('message', (_worker, message: unknown) => {
    if (!isMessage<Told>(message, 'walkin:debug-told')) return;
    waiting.get(message.id)?.(message.reply);
  });
  return {
    askOne: async (question) => {
      const workers = running();
      const worker = workers[turn++ % Math.max(1, workers.length)];
      return worker === undefined ? null : ask(worker, question);
    },
    askAll: async (question) => {
      const replies = await Promise.all(running().map((worker) => ask(worker, question)));
      return replies.filter((reply) => reply !== null);
    },
  };

  function ask(worker: Worker, question: DebugQuestion): Promise<DebugReply | null> {
    return new Promise((resolve) => {
      const id = counter++;
      const settle = (reply: DebugReply | null): void => {
        clearTimeout(timer);
        waiting.delete(id);
        resolve(reply);
      };
      const timer = setTimeout(() => settle(null), PATIENCE_MS);
      waiting.set(id, settle);
      const asked: Asked = { type: 'walkin:debug-asked', id, question };
      worker.send(asked, (error: Error | null) => {
        if (error !== null) settle(null);
      });
    });
  }
}

function running(): Worker[] {
  return Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected()) as Worker[];
}

function isMessage<Message extends { readonly type: string }>(message: unknown, type: Message['type']): message is Message {
  return (message as { type?: unknown } | null)?.type === type;
}
