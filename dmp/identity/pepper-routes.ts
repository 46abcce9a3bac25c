import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { maySee, requireScope } from '../keys/auth.ts';
import { notFound, Problem } from '../problem.ts';
import { RevisionConflict } from '../things/things.ts';
import { pepperState, type TenantPepper, tenantPepper } from './peppers.ts';
import { generationsAfter, generationsOf, PEPPER_ACTS, type PepperAct } from './tenant.ts';

const TenantView = Type.Object({
  advertiser: Type.String(),
  generations: Type.Array(Type.Integer(), {
    description: 'of its pepper, that are honoured, the newest first; 0: the installation’s',
  }),
  own: Type.Boolean({
    description: 'its facts are named under a pepper of its own: the installation’s is not honoured for them',
  }),
  alone: Type.Integer({
    description:
      'identifiers that nobody else meets and that are known under one generation only: those of before the last rotation are lost when theirs is retired',
  }),
});

const PepperView = Type.Object({
  older: Type.Integer({ description: 'old peppers of the installation that are honoured' }),
  alone: Type.Object(
    { identifiers: Type.Integer(), optOuts: Type.Integer(), erased: Type.Integer(), consents: Type.Integer() },
    {
      description: 'keys that are known under one pepper only: those of before the last rotation are lost when theirs is retired',
    },
  ),
  tenants: Type.Array(TenantView),
});

const ABOUT: Readonly<Record<PepperAct, readonly [string, string]>> = {
  rotate: ['Make a new pepper for an advertiser', 'The one of before is honoured until it is retired. At most three are.'],
  retire: ['Forget an advertiser’s oldest pepper', 'Facts are named under the next from then on.'],
  honour: ['Honour an advertiser’s pepper again that was retired', 'The way back: peppers are derived, and none is lost.'],
};

const Body = Type.Object(
  {
    generation: Type.Integer({
      minimum: 0,
      description:
        'which: to rotate, the newest and one; to retire, the oldest; to honour again, one before these. The same again changes nothing',
    }),
  },
  { additionalProperties: false },
);
const params = Type.Object({ id: Type.String({ maxLength: 200, description: 'the advertiser' }) });
const answers = (schema: object) => ({
  200: { description: 'It', content: { 'application/json': { schema } } },
  ...PROBLEM_RESPONSES,
});

/** GET /v1/peppers, POST /v1/peppers/{id}/rotate, …/retire, …/honour */
export function registerPeppersRoutes(app: FastifyInstance, deps: DmpDeps): void {
  const schema = {
    tags: ['identity'],
    operationId: 'getPeppers',
    summary: 'How far replacements of peppers have come: of the installation’s, and of each advertiser’s',
    response: answers(PepperView),
  };
  app.get('/v1/peppers', { schema }, async (request) => {
    requireScope(request, 'admin');
    const { tenants, ...state } = await pepperState(deps);
    return { ...state, tenants: tenants.filter(({ advertiser }) => maySee(request.principal, advertiser)) };
  });
  for (const act of PEPPER_ACTS) {
    const [summary, description] = ABOUT[act];
    const operation = { tags: ['identity'], operationId: `${act}Pepper`, summary, description, params, body: Body };
    app.post<{ Params: { id: string }; Body: Static<typeof Body> }>(
      `/v1/peppers/:id/${act}`,
      { schema: { ...operation, response: answers(TenantView) }, config: { audited: 'thing' } },
      (request) => change(deps, request, act, request.params.id, request.body.generation),
    );
  }
}

/** The generations are the advertiser's: who changed them when is in its revisions. */
async function change(
  deps: DmpDeps,
  request: FastifyRequest,
  act: PepperAct,
  advertiser: string,
  generation: number,
): Promise<TenantPepper> {
  requireScope(request, 'admin');
  const thing = deps.things.get('advertiser', advertiser);
  if (thing === undefined || !maySee(request.principal, advertiser)) throw notFound('advertiser');
  const honoured = generationsOf(thing.body);
  const peppers = generationsAfter(act, generation, honoured, thing.body.firstPepper);
  if (peppers === null)
    throw new Problem(409, 'conflict', `Generation ${generation} is not the one to ${act}`, {
      detail: `honoured are ${honoured.join(', ')}, and at most three at once`,
    });
  if (peppers !== honoured) {
    const write = { actor: request.principal.id, expected: thing.revision };
    await deps.things.put('advertiser', advertiser, { ...thing.body, peppers }, write).catch((error: unknown) => {
      if (error instanceof RevisionConflict)
        throw new Problem(409, 'conflict', 'The advertiser was changed meanwhile; try again');
      throw error;
    });
  }
  return tenantPepper(deps, advertiser);
}
