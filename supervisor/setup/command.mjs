import { spawn } from 'node:child_process';

/**
 * Runs a program to its end and keeps what it said, since that is only worth showing when it failed.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<{ code: number, output: string }>} Code 127 where there is no such program.
 */
export function run(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (/** @type {Buffer} */ chunk) => {
      output += chunk.toString('utf8');
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => resolve({ code: 127, output: `${output}${error.message}` }));
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/**
 * @param {string} output
 * @param {number} lines
 */
export function lastLines(output, lines) {
  return output.trimEnd().split('\n').slice(-lines).join('\n');
}

/**
 * npm says the reason first, then how it is used.
 * @param {string} output
 * @param {number} lines
 */
export function firstLines(output, lines) {
  return output.trimStart().split('\n').slice(0, lines).join('\n').trimEnd();
}
