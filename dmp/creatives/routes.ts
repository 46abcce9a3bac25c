import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type TSchema, Type } from 'typebox';
import type { Creative } from '../campaigns/creative.ts';
import type { DmpDeps } from '../deps.ts';
import { PROBLEM_RESPONSES } from '../http/resource-schemas.ts';
import { ID_PATTERN, oneOf } from '../http/schema.ts';
import { maySee, requireScope } from '../keys/auth.ts';
import { notFound } from '../problem.ts';
import type { Thing } from '../things/things.ts';
import { type Approval, ApprovalInput, approvalId } from './approval.ts';
import { auditCreative } from './audit.ts';

const FaultView = Type.Object({ pointer: Type.String(), code: Type.String(), message: Type.String() });
const AuditView = Type.Object({
  creative: Type.String(),
  passed: Type.Boolean({ description: 'only then it goes live' }),
  faults: Type.Array(FaultView),
  advice: Type.Array(FaultView, { description: 'what does not keep it back, but will be refused by some' }),
});
const ApprovalView = Type.Object({
  creative: Type.String(),
  exchange: Type.String(),
  ...ApprovalInput.properties,
  by: oneOf(['operator', 'exchange'], { description: 'exchange: its notices said so' }),
  updatedAt: Type.String({ format: 'date-time' }),
});
const Params = Type.Object({ id: Type.String({ maxLength: 200 }) });

type Deps = Pick<DmpDeps, 'things'>;
type CreativeCall = { Params: { id: string } };
type ApprovalCall = { Params: { id: string; exchange: string }; Body: ApprovalInput };

/** The life of a creative: our audit before it goes live, and what each exchange says of it. */
export function registerCreativeLifeRoutes(app: FastifyInstance, { things }: Deps): void {
  const audit = schemaOf('getCreativeAudit', 'What keeps a creative from going live', AuditView);
  app.get<CreativeCall>('/v1/creatives/:id/audit', { schema: audit }, async (request) => {
    requireScope(request, 'campaigns:read');
    const { id, body } = creativeOf({ things }, request, request.params.id);
    const { faults, advice } = auditCreative(body, things.get('advertiser', body.advertiser)?.body.domains ?? []);
    return { creative: id, passed: faults.length === 0, faults, advice };
  });

  const all = schemaOf(
    'listCreativeApprovals',
    'How a creative stands with the exchanges',
    Type.Object({ data: Type.Array(ApprovalView) }),
  );
  app.get<CreativeCall>('/v1/creatives/:id/approvals', { schema: all }, async (request) => {
    requireScope(request, 'campaigns:read');
    const { id } = creativeOf({ things }, request, request.params.id);
    return { data: things.list('approval').flatMap((thing) => (thing.body.creative === id ? [viewOf(thing)] : [])) };
  });

  const put = {
    ...schemaOf('putCreativeApproval', 'Say how a creative stands with an exchange', ApprovalView),
    params: Type.Object({ id: Type.String({ pattern: ID_PATTERN }), exchange: Type.String({ pattern: ID_PATTERN }) }),
    body: ApprovalInput,
  };
  app.put<ApprovalCall>(
    '/v1/creatives/:id/approvals/:exchange',
    { schema: put, config: { audited: 'thing' } },
    async (request) => {
      // What an exchange said is the operator's to write down, not the advertiser's.
      requireScope(request, 'admin');
      const { exchange } = request.params;
      const { id } = creativeOf({ things }, request, request.params.id);
      if (things.get('exchange', exchange) === undefined) throw notFound('exchange');
      const body: Approval = { creative: id, exchange, ...request.body, retry: null };
      return viewOf(await things.put('approval', approvalId(id, exchange), body, { actor: request.principal.id }));
    },
  );
}

function schemaOf(operationId: string, summary: string, view: TSchema) {
  const answer = { description: 'It', content: { 'application/json': { schema: view } } };
  return { tags: ['creatives'], operationId, summary, params: Params, response: { 200: answer, ...PROBLEM_RESPONSES } };
}

function creativeOf(
  { things }: Deps,
  { principal }: FastifyRequest<CreativeCall> | FastifyRequest<ApprovalCall>,
  id: string,
): Thing<Creative> {
  const creative = things.get('creative', id);
  if (creative === undefined || !maySee(principal, creative.body.advertiser)) throw notFound('creative');
  return creative;
}

function viewOf({ body: { retry, ...approval }, updatedAt }: Thing<Approval>): object {
  return { ...approval, by: retry === null ? 'operator' : 'exchange', updatedAt: new Date(updatedAt).toISOString() };
}
