import { spawn } from 'node:child_process';
import { ownCommand } from './child.ts';

/** What the publisher of the bench `swap` is told, and what it answers to each call. */
export type PublisherCall =
  | { readonly type: 'draw'; readonly seed: number; readonly lineItems: number; readonly version: number }
  | { readonly type: 'publish'; readonly which: 'first' | 'renewed' | 'edited' };
export interface PublisherAnswer {
  /** Megabytes of the parts of what was drawn. */
  readonly mb: number;
}

/** A process that draws snapshots of a size and publishes them; on the same core as we, and with our niceness. */
export interface SwapPublisher {
  call(call: PublisherCall): Promise<PublisherAnswer>;
  stop(): void;
}

export function startSwapPublisher(redisPath: string, env: NodeJS.ProcessEnv): SwapPublisher {
  const [node, ...args] = ownCommand('load-tests/bench/swap-publisher') as [string, ...string[]];
  const child = spawn(node, [...args, redisPath], { stdio: ['pipe', 'inherit', 'inherit', 'ipc'], env });
  const waiting: ((answer: PublisherAnswer) => void)[] = [];
  child.on('message', (answer: PublisherAnswer) => waiting.shift()?.(answer));
  child.once('exit', (code) => {
    if (waiting.length > 0) throw new Error(`the publisher ended with ${code}`);
  });
  return {
    call: (call) =>
      new Promise((resolve) => {
        waiting.push(resolve);
        child.send(call);
      }),
    stop: () => void child.kill('SIGTERM'),
  };
}
