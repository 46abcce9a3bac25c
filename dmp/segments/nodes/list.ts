import { Type } from 'typebox';
import type { NodeKind } from '../node.ts';
import { rowsThatCount } from '../rows.ts';
import { unitOf } from '../unit.ts';

export const list: NodeKind<string> = {
  says: 'Is named by an uploaded list. Of a device or a household: who has somebody who is.',
  fields: {},
  whole: Type.String({ maxLength: 64, description: 'id of the list' }),
  examples: ['lst_1'],
  check: (id, pointer, { named, fault }) => {
    if (!named.has('list', id)) fault(pointer, 'unknown_list', `no list ${id}`);
  },
  plan: (id, compiler) => {
    const { bound } = compiler;
    const counting = rowsThatCount(compiler);
    // Identities are ordered by identifier: only those on the list are read.
    const ofLists = (where: string): string => `SELECT list AS value, ${unitOf(compiler)} AS unit
      FROM (SELECT list, identifier, source, CAST([], 'Array(String)') AS sources FROM list_entries FINAL WHERE ${where} AND removed = 0) AS named
      INNER JOIN (SELECT identifier, profile, device, household, device_sure, person_sure, household_sure FROM identities FINAL
        WHERE identifier IN (SELECT identifier FROM list_entries WHERE ${where})) AS who USING identifier${counting === '' ? '' : ` WHERE ${counting}`}`;
    return {
      units: `SELECT unit FROM (${ofLists(`list = ${bound.add('String', id)}`)})`,
      lookup: { form: 'list', values: [id], units: (_from, _range, values) => ofLists(`list IN ${values}`) },
      edges: 'always',
    };
  },
  sentence: (id, language) => (language === 'en' ? `are on list ${id}` : `есть в списке ${id}`),
};
