import { referenceFault, referenceFaults } from '../http/references.ts';
import { timeZoneFaults } from '../http/time-zone.ts';
import type { Fault } from '../problem.ts';
import { hoursFaults } from '../stores/hours.ts';
import type { Things } from '../things/things.ts';
import type { Campaign } from './campaign.ts';
import { flightFaults } from './check-campaign.ts';
import type { LineItem } from './line-item.ts';

/** `viewer`: the advertiser that asks, null for one who may see all. Another's campaign is unknown to them. */
export function checkLineItem(lineItem: LineItem, things: Things, viewer: string | null): Fault[] {
  const campaign = things.get('campaign', lineItem.campaign)?.body;
  if (campaign === undefined || (viewer !== null && campaign.advertiser !== viewer))
    return [...referenceFaultOf(lineItem.campaign), ...targetingFaults(lineItem)];
  return [
    ...lineItemFlightFaults(lineItem, campaign),
    ...targetingFaults(lineItem),
    ...referencedFaults(lineItem, things, campaign.advertiser),
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

function targetingFaults({ targeting }: LineItem): Fault[] {
  const { dayparts, timeZone } = targeting;
  return [
    ...(dayparts === undefined ? [] : hoursFaults(dayparts, '/targeting/dayparts')),
    ...(timeZone === undefined ? [] : timeZoneFaults(timeZone, '/targeting/timeZone')),
  ];
}

function referencedFaults({ targeting, creatives }: LineItem, things: Things, advertiser: string): Fault[] {
  const groups = targeting.segments ?? [];
  return [
    ...referenceFaults(things, 'exchange', targeting.exchanges, '/targeting/exchanges', null),
    ...groups.flatMap((ids, index) => referenceFaults(things, 'segment', ids, `/targeting/segments/${index}`, advertiser)),
    ...referenceFaults(things, 'segment', targeting.excludedSegments, '/targeting/excludedSegments', advertiser),
    ...referenceFaults(things, 'store', targeting.stores, '/targeting/stores', advertiser),
    ...referenceFaults(things, 'store', targeting.promotedStores, '/targeting/promotedStores', advertiser),
    ...referenceFaults(things, 'store-group', targeting.storeGroups, '/targeting/storeGroups', advertiser),
    ...referenceFaults(things, 'geofence', targeting.geofences, '/targeting/geofences', advertiser),
    ...creatives.flatMap((id, index) => referenceFault(things, 'creative', id, `/creatives/${index}`, advertiser)),
  ];
}
