/** A problem that the reader can act on: printed as its one sentence, without a stack. */
export class SetupError extends Error {
  /** @override */
  name = 'SetupError';
}

/**
 * @typedef {object} Progress
 * @property {(stage: string, result: string) => void} done A stage that is finished, or had nothing to do.
 * @property {<T>(stage: string, doing: string, work: () => Promise<T>, result: (value: T) => string) => Promise<T>} stage
 * @property {(sentence: string) => void} note
 * @property {(sentence: string) => void} problem
 */

const REPEAT_MS = 10_000;

/**
 * Staged progress: one line a stage, rewritten in place on a terminal, plain lines elsewhere.
 * @param {{ quiet: boolean, out?: NodeJS.WriteStream, err?: NodeJS.WriteStream }} options
 * @returns {Progress}
 */
export function createProgress({ quiet, out = process.stdout, err = process.stderr }) {
  const terminal = out.isTTY === true;
  /** @param {string} text */
  const line = (text) => {
    if (!quiet) out.write(`${text}\n`);
  };
  /** @param {string} stage @param {string} result */
  const done = (stage, result) => line(`${terminal ? '\u001b[32m✔\u001b[0m' : '-'} ${stage}: ${result}`);
  return {
    done,
    stage: async (stage, doing, work, result) => {
      const started = Date.now();
      const tick = () => {
        const text = `${stage}: ${doing} … ${Math.round((Date.now() - started) / 1000)} s`;
        if (terminal && !quiet) out.write(`\r\u001b[K  ${text}`);
        else line(`- ${text}`);
      };
      line(`${terminal ? ' ' : '-'} ${stage}: ${doing}`);
      if (terminal && !quiet) out.write('\u001b[1A');
      const timer = setInterval(tick, terminal ? 250 : REPEAT_MS);
      try {
        const value = await work();
        if (terminal && !quiet) out.write('\r\u001b[K');
        done(stage, `${result(value)} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
        return value;
      } finally {
        clearInterval(timer);
      }
    },
    note: (sentence) => line(`  ${sentence}`),
    problem: (sentence) => {
      err.write(`${terminal && !quiet ? '\r\u001b[K' : ''}${sentence}\n`);
    },
  };
}
