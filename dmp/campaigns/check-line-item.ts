import { referenceFault } from '../http/references.ts';
import type { Fault } from '../problem.ts';
import type { Things } from '../things/things.ts';
import type { Campaign } from './campaign.ts';
import { flightFaults } from './check-campaign.ts';
import { targetedFaults, targetingFaults } from './check-targeting.ts';
import type { LineItem } from './line-item.ts';

/** `viewer`: the advertiser that asks, null for one who may see all. Another's campaign is unknown to them. */
export function checkLineItem(lineItem: LineItem, things: Things, viewer: string | null): Fault[] {
  const campaign = things.get('campaign', lineItem.campaign)?.body;
  if (campaign === undefined || (viewer !== null && campaign.advertiser !== viewer))
    return [...referenceFaultOf(lineItem.campaign), ...targetingFaults(lineItem.targeting)];
  return [
    ...lineItemFlightFaults(lineItem, campaign),
    ...targetingFaults(lineItem.targeting),
    ...targetedFaults(lineItem.targeting, things, campaign.advertiser),
    ...lineItem.creatives.flatMap((id, index) =>
      referenceFault(things, 'creative', id, `/creatives/${index}`, campaign.advertiser),
    ),
  ];
}

function referenceFaultOf(campaign: string): Fault[] {
  return [{ pointer: '/campaign', code: 'unknown_campaign', message: `there is no campaign ${campaign}` }];
}

function lineItemFlightFaults(lineItem: LineItem, campaign: Campaign): Fault[] {
  const { start = campaign.start, end = campaign.end } = lineItem;
  if (lineItem.start !== undefined && lineItem.end !== undefined && flightFaults(start, end).length > 0)
    return flightFaults(start, end);
  const meets = Date.parse(start) < Date.parse(campaign.end) && Date.parse(end) > Date.parse(campaign.start);
  if (meets) return [];
  const message = `never runs while its campaign does, ${campaign.start} to ${campaign.end}`;
  return [{ pointer: lineItem.start === undefined ? '/end' : '/start', code: 'flight_outside_campaign', message }];
}
