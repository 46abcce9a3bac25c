import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { DmpDeps } from '../deps.ts';
import type { Noun } from '../http/noun.ts';
import { registerResource } from '../http/resource.ts';
import { BIDDING, holdbackFor, readGuards, segmentsWanted } from '../segments/guards.ts';
import { createRunLookup } from '../segments/status.ts';
import type { Thing } from '../things/things.ts';
import { Campaign } from './campaign.ts';
import { checkCampaign } from './check-campaign.ts';
import { checkCreative } from './check-creative.ts';
import { checkLineItem } from './check-line-item.ts';
import { Creative } from './creative.ts';
import { LineItem } from './line-item.ts';

const SCOPES = { read: 'campaigns:read', write: 'campaigns:write' } as const;

const CAMPAIGNS: Noun<'campaign', Campaign> = {
  kind: 'campaign',
  path: 'campaigns',
  title: 'campaign',
  prefix: 'cmp_',
  input: Campaign,
  ...SCOPES,
  immutable: ['advertiser'],
  filters: ['advertiser', 'status'],
  advertiserOf: (campaign) => campaign.advertiser,
  check: (campaign, { deps }) => checkCampaign(campaign, deps.things),
  store: (campaign, { current }) => withSalt(campaign, current),
};

/** The salt decides who is held out: it is drawn once, and stays where a later write does not name another. */
function withSalt(campaign: Campaign, current: Thing<Campaign> | undefined): Campaign {
  if (campaign.holdout === null) return campaign;
  const salt = campaign.holdout.salt ?? current?.body.holdout?.salt ?? randomBytes(8).toString('hex');
  return { ...campaign, holdout: { ...campaign.holdout, salt } };
}

const lineItemsOf = ({ warehouse, things }: DmpDeps): Noun<'line-item', LineItem> => {
  const runOf = createRunLookup(warehouse);
  return {
    kind: 'line-item',
    path: 'line-items',
    title: 'line item',
    prefix: 'li_',
    input: LineItem,
    ...SCOPES,
    immutable: ['campaign'],
    filters: ['campaign', 'status'],
    // Of a campaign that does not exist nobody is the owner; the check refuses it.
    advertiserOf: (lineItem, _, things) => things.get('campaign', lineItem.campaign)?.body.advertiser ?? null,
    check: (lineItem, { deps, principal }) => checkLineItem(lineItem, deps.things, principal.advertiser),
    show: async ({ body }, _, principal) => {
      const wanted = segmentsWanted(body);
      const guards = await readGuards(warehouse, things, wanted, BIDDING, runOf);
      return { heldBack: holdbackFor(principal, body, guards) };
    },
    shown: ['heldBack'],
  };
};

const CREATIVES: Noun<'creative', Creative> = {
  kind: 'creative',
  path: 'creatives',
  title: 'creative',
  prefix: 'cr_',
  input: Creative,
  ...SCOPES,
  immutable: ['advertiser'],
  filters: ['advertiser'],
  advertiserOf: (creative) => creative.advertiser,
  check: (creative, { deps }) => checkCreative(creative, deps.things),
};

export function registerCampaignsRoutes(app: FastifyInstance, deps: DmpDeps): void {
  registerResource(app, deps, CAMPAIGNS);
  registerResource(app, deps, lineItemsOf(deps));
  registerResource(app, deps, CREATIVES);
}
