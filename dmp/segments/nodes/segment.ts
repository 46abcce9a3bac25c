import { Type } from 'typebox';
import type { NodeKind } from '../node.ts';
import { unitOf } from '../unit.ts';

/** Its cycles are found by check.ts, which knows whose rule this is. */
export const segment: NodeKind<string> = {
  says: 'The people who are members of another segment, as it was evaluated last. Of a device or a household: who has a member.',
  fields: {},
  whole: Type.String({ maxLength: 64, description: 'id of the segment' }),
  examples: ['seg_1'],
  check: (id, pointer, { named, fault }) => {
    if (!named.has('segment', id)) fault(pointer, 'unknown_segment', `no segment ${id}`);
  },
  segments: (id) => [id],
  plan: (id, compiler) => {
    const { bound, scope } = compiler;
    if (scope.mayNest?.(id) === false) return { units: 'SELECT toUInt32(0) AS unit WHERE 0', edges: [] };
    const held = `SELECT profile FROM memberships WHERE segment = ${bound.add('String', id)} GROUP BY profile HAVING argMax(status, version) = 1`;
    const { level = 'person' } = scope;
    const units =
      level === 'person' ? held : `SELECT ${unitOf(compiler)} FROM facts WHERE kind = 'person' AND profile IN (${held})`;
    return { units, segment: id, edges: [] };
  },
  sentence: (id, language) => (language === 'en' ? `are in segment ${id}` : `входят в сегмент ${id}`),
};
