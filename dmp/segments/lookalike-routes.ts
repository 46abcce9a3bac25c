import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { DmpDeps } from '../deps.ts';
import type { Noun, NounContext } from '../http/noun.ts';
import { referenceFault } from '../http/references.ts';
import { registerResource } from '../http/resource.ts';
import { answerJob } from '../jobs/view.ts';
import { maySee, requireScope } from '../keys/auth.ts';
import { type Fault, notFound } from '../problem.ts';
import type { Thing } from '../things/things.ts';
import { checkRule } from './check.ts';
import { LEAST_SEEDS, type Lookalike, type LookalikeFit, LookalikeInput } from './lookalike.ts';
import { countFor, type Told } from './minimum.ts';
import { lastRuns } from './runs.ts';
import { isSensitive, selectsSensitive } from './sensitive.ts';

/** /v1/lookalikes, /v1/lookalikes/{id}/fit */
export function registerLookalikesRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, LOOKALIKES);
  const schema = {
    tags: ['lookalikes'],
    operationId: 'fitLookalike',
    summary: 'Fit a look-alike now and score everybody by it',
    params: Type.Object({ id: Type.String({ maxLength: 200 }) }),
  };
  app.post('/v1/lookalikes/:id/fit', { schema }, async (request, reply) => {
    requireScope(request, 'segments:write');
    const { id } = find(deps, request);
    return answerJob(reply, await deps.jobs.enqueue('lookalike', { lookalike: id }, request.principal.id));
  });
}

const LOOKALIKES: Noun<'lookalike', LookalikeInput> = {
  kind: 'lookalike',
  path: 'lookalikes',
  title: 'look-alike',
  prefix: 'lal_',
  input: LookalikeInput,
  read: 'segments:read',
  write: 'segments:write',
  immutable: ['advertiser'],
  filters: ['advertiser', 'seed'],
  advertiserOf: (lookalike) => lookalike.advertiser,
  check,
  show: shown,
  shown: ['state', 'fit'],
};

async function check(
  { advertiser, seed, population }: LookalikeInput,
  { deps: { things, warehouse } }: NounContext<'lookalike'>,
): Promise<Fault[]> {
  const faults = [
    ...(advertiser === null ? [] : referenceFault(things, 'advertiser', advertiser, '/advertiser', null)),
    ...referenceFault(things, 'segment', seed, '/seed', advertiser),
    ...(population === null ? [] : checkRule(population, { things, advertiser, self: null, pointer: '/population' })),
  ];
  if (faults.length > 0) return faults;
  const owner = things.get('segment', seed)?.body.advertiser ?? null;
  // What resembles an advertiser's people tells of them: no other one may have it.
  if (owner !== null && owner !== advertiser)
    faults.push({
      pointer: '/seed',
      code: 'seed_not_shared',
      message: `the segment is of ${owner}, and so must the look-alike be`,
    });
  if (isSensitive(things, seed))
    faults.push({ pointer: '/seed', code: 'sensitive_seed', message: 'the segment, or one that it is made of, is sensitive' });
  if (selectsSensitive(things, population))
    faults.push({ pointer: '/population', code: 'sensitive_seed', message: 'the rule names a sensitive segment' });
  const members = (await lastRuns(warehouse, [seed])).get(seed)?.members;
  if (members !== undefined && members < LEAST_SEEDS)
    faults.push({
      pointer: '/seed',
      code: 'seed_too_small',
      message: `the segment needs ${LEAST_SEEDS} members to be learnt from`,
    });
  return faults;
}

function shown({ id, updatedAt }: Thing<Lookalike>, { things }: DmpDeps, key: Told): object {
  const fit = things.get('lookalike-fit', id)?.body ?? null;
  if (fit === null) return { state: 'waiting', fit };
  const { version, at, ...rest } = fit;
  const state = fit.refused !== null ? 'refused' : at < updatedAt ? 'stale' : 'ready';
  return { state, fit: { fittedAt: new Date(at).toISOString(), ...rest, ...peopleOf(rest, key) } };
}

/** Counts of people as the key gets them. */
function peopleOf({ seeds, population, heldOut }: Pick<LookalikeFit, 'seeds' | 'population' | 'heldOut'>, key: Told): object {
  const tell = (people: number): number | null => countFor(key, people);
  return {
    seeds: tell(seeds),
    population: tell(population),
    heldOut: heldOut === null ? null : { seeds: tell(heldOut.seeds), others: tell(heldOut.others) },
  };
}

function find(deps: DmpDeps, request: FastifyRequest): Thing<Lookalike> {
  const lookalike = deps.things.get('lookalike', (request.params as { id: string }).id);
  if (lookalike === undefined || !maySee(request.principal, lookalike.body.advertiser)) throw notFound('look-alike');
  return lookalike;
}
