import type { Fault } from '../problem.ts';
import { ATTRIBUTE } from './targets.ts';

/**
 * Segments as Xandr's batch segment service takes them in text files, with the separators of this preset:
 * `code,expiration,value;code,expiration,value#removed;removed^domain`. Expiration is in minutes, −1 removes. Each segment becomes
 * an attribute: its value, '' where the person left it.
 */
export function segmentAttributes(text: string, prefix: string, faults: Fault[]): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const [listed = ''] = text.split('^', 1);
  const [added = '', removed = ''] = listed.split('#');
  for (const block of blocksOf(added)) {
    const [code = '', expiration = '0', value = '1'] = block.split(',');
    if (!isCode(code) || !/^-?\d{1,9}$/.test(expiration) || !/^-?\d{1,12}$/.test(value)) faults.push(badSegment(block));
    else found[`${ATTRIBUTE}${prefix}${code}`] = expiration === '-1' ? '' : value === '0' ? '1' : value;
  }
  for (const block of blocksOf(removed)) {
    const [code = ''] = block.split(',');
    if (!isCode(code)) faults.push(badSegment(block));
    else found[`${ATTRIBUTE}${prefix}${code}`] = '';
  }
  if (text !== '' && Object.keys(found).length === 0 && faults.length === 0) faults.push(badSegment(text));
  return found;
}

const blocksOf = (text: string): string[] => text.split(';').filter((block) => block !== '');
const isCode = (code: string): boolean => /^[\w.-]{1,64}$/.test(code);

function badSegment(block: string): Fault {
  return {
    pointer: '/segments',
    code: 'shape',
    message: `${JSON.stringify(block.slice(0, 40))} is no segment: code,expiration,value`,
  };
}
