import { readFileSync } from 'node:fs';

/** The lines of the README's sample of `npm start`; a line of "…" stands for lines left out. */
export function sampleLines(readme: URL): string[] {
  const block = /```text\n([\s\S]*?)```/.exec(readFileSync(readme, 'utf8'))?.[1] ?? '';
  return block.split('\n').filter((line) => line.trim() !== '' && line.trim() !== '…');
}

/** A line without what differs from run to run: numbers, widths, paths, the key, the marks of a step. */
export function shapeOf(line: string): string {
  return line
    .replace(/wk_admin_\S+/g, 'KEY')
    .replace(/(^|\s)\/\S+/g, '$1PATH')
    .replace(/http:\/\/127\.0\.0\.1:\d+/g, 'ADDRESS')
    .replace(/─+/g, '─')
    .replace(/[\d.,]+/g, '#')
    .replace(/\b(yes|no)\b/g, 'YESNO')
    .replace(/[+−-]#/g, '#')
    .replace(/\s+/g, ' ')
    .trim();
}
