import { Type } from 'typebox';

/** Schemas of what is told of groups of people. */

export const People = Type.Unsafe<number | null>({
  type: ['integer', 'null'],
  description: 'to the nearest ten; null: fewer than ten',
});
export const Share = Type.Unsafe<number | null>({ type: ['number', 'null'] });
export const Range = Type.Unsafe<object | null>({
  type: ['object', 'null'],
  properties: { lo: { type: 'number' }, hi: { type: 'number' } },
  description: '95 % interval; null: exact, or not told',
});

export const ReachView = Type.Object({
  people: People,
  addressable: Type.Unsafe<number | null>({ ...People, description: 'whom a bid request can name' }),
  rate: Share,
  kinds: Type.Array(Type.Object({ kind: Type.String(), people: People })),
  exchanges: Type.Array(Type.Object({ exchange: Type.String(), people: People, rate: Share }), {
    description: 'with whom the exchange’s id is matched, or whom a bid there named',
  }),
});

export const StoresView = Type.Array(Type.Object({ store: Type.String(), visited: People, home: People, near: People }));

export const CellsView = Type.Array(
  Type.Object({ cell: Type.String({ description: 'H3' }), resolution: Type.Integer(), people: People }),
  { description: 'where they live, or were seen last; people of a cell with fewer than ten are told in a larger one' },
);

export const json = (schema: object) => ({ 200: { description: 'It', content: { 'application/json': { schema } } } });
