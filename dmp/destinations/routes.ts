import type { FastifyInstance } from 'fastify';
import type { DmpDeps } from '../deps.ts';
import type { Noun } from '../http/noun.ts';
import { registerResource } from '../http/resource.ts';
import { createSealer, type Sealer } from '../identity/seal.ts';
import { checkDestination } from './check-destination.ts';
import { DestinationInput, keptDestination } from './destination.ts';
import { registerExportRoutes } from './export-routes.ts';
import { type ExportResult, lastDelivered, listExports } from './exports.ts';
import { segmentsHeld } from './ledger.ts';

/** /v1/destinations, their exports and what came of these */
export function registerDestinationsRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, destinationsOf(createSealer(deps.pepper)));
  registerExportRoutes(app, deps);
}

const SHOWN_EXPORTS = 20;

function ratesOf({ kinds = [], ...told }: ExportResult): object {
  const rateOf = ({ matched, received }: Pick<ExportResult, 'matched' | 'received'>) =>
    matched === null || received === null || received === 0 ? null : matched / received;
  return { ...told, rate: rateOf(told), kinds: kinds.map((one) => ({ ...one, rate: rateOf(one) })) };
}

function destinationsOf(sealer: Sealer): Noun<'destination', DestinationInput> {
  return {
    kind: 'destination',
    path: 'destinations',
    title: 'destination',
    prefix: 'dst_',
    input: DestinationInput,
    read: 'destinations:read',
    write: 'destinations:write',
    // What was sent to one account or in one form cannot be taken back from another.
    immutable: ['advertiser', 'kind', 'exchange'],
    filters: ['advertiser', 'kind', 'status'],
    writeOnly: ['accessKeySecret', 'signingSecret'],
    advertiserOf: ({ advertiser }) => advertiser,
    check: checkDestination,
    issue: (input, { id }) => keptDestination(input, id, sealer, undefined),
    store: (input, { id, current }) => keptDestination(input, id, sealer, current?.body).body,
    show: async ({ id, body }, { warehouse }) => {
      const exports = await listExports(warehouse, id, SHOWN_EXPORTS);
      const told = exports.find(({ result }) => result !== null)?.result ?? null;
      const last = exports.find(({ state }) => state === 'delivered');
      return {
        hasAccessKeySecret: body.sealedAccessKeySecret !== null,
        hasSigningSecret: body.sealedSigningSecret !== null,
        lastDelivered: last === undefined ? null : { export: last.id, at: last.deliveredAt },
        matchRate: told === null || told.received === 0 ? null : ratesOf(told),
      };
    },
    shown: ['hasAccessKeySecret', 'hasSigningSecret', 'lastDelivered', 'matchRate'],
    holds: async ({ id }, { warehouse }) => {
      const held = await segmentsHeld(warehouse, id, await lastDelivered(warehouse, id));
      const message = 'the destination still holds people: take its segments out and export, so that they are removed there';
      return held.length === 0 ? [] : [{ pointer: '', code: 'in_use', message }];
    },
  };
}
