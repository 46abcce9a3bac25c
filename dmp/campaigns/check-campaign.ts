import { referenceFault } from '../http/references.ts';
import type { Fault } from '../problem.ts';
import type { Things } from '../things/things.ts';
import type { Campaign } from './campaign.ts';

export function checkCampaign(campaign: Campaign, things: Things): Fault[] {
  return [
    ...referenceFault(things, 'advertiser', campaign.advertiser, '/advertiser', null),
    ...flightFaults(campaign.start, campaign.end),
  ];
}

/** A flight is half open: [start, end). */
export function flightFaults(start: string, end: string): Fault[] {
  if (Date.parse(end) > Date.parse(start)) return [];
  return [{ pointer: '/end', code: 'end_before_start', message: `must be after the start, ${start}` }];
}
