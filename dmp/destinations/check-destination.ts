import type { NounContext } from '../http/noun.ts';
import { referenceFault } from '../http/references.ts';
import { urlOf } from '../imports/ask.ts';
import { type Fault, Problem } from '../problem.ts';
import { isForbidden } from '../segments/guards.ts';
import { type DestinationInput, takesKinds } from './destination.ts';

export function checkDestination(input: DestinationInput, { deps, current }: NounContext<'destination'>): Fault[] {
  const { things } = deps;
  const { advertiser, segments, exchange } = input;
  return [
    ...referenceFault(things, 'advertiser', advertiser, '/advertiser', null),
    ...(exchange === null ? [] : referenceFault(things, 'exchange', exchange, '/exchange', null)),
    ...segments.flatMap(({ segment }, at) => referenceFault(things, 'segment', segment, `/segments/${at}/segment`, advertiser)),
    ...segments.flatMap(({ segment }, at) => sensitiveFaults(segment, `/segments/${at}/segment`)),
    ...repeated(segments.map(({ segment }) => segment)),
    ...kindFaults(input),
    ...deliveryFaults(input, deps.fetchInside === true, current?.body.sealedAccessKeySecret != null),
  ];

  function sensitiveFaults(id: string, pointer: string): Fault[] {
    if (!isForbidden(things, id)) return [];
    return [{ pointer, code: 'sensitive_segment', message: `${id} is sensitive, and no admin has allowed its use` }];
  }
}

function repeated(ids: readonly string[]): Fault[] {
  return ids.flatMap((id, at): Fault[] =>
    ids.indexOf(id) === at ? [] : [{ pointer: `/segments/${at}/segment`, code: 'duplicate', message: `${id} is listed before` }],
  );
}

/** What may stand in `identifiers` where not all may. */
const LISTS: Readonly<Partial<Record<DestinationInput['kind'], string>>> = {
  google_customer_match: 'a list at Google is one of contacts (null) or one of devices (["ifa"])',
  yandex_audience: 'a list at Yandex is one of contacts (null) or one of devices (["idfa", "gaid"])',
  xandr: 'xandr takes exchange, idfa and gaid',
};

function kindFaults(input: DestinationInput): Fault[] {
  const { kind, exchange, origins, signingSecret, schedule } = input;
  const faults: Fault[] = [];
  const refuse = (pointer: string, message: string): void => void faults.push({ pointer, code: 'unknown_property', message });
  if (!takesKinds(input)) refuse('/identifiers', LISTS[kind] ?? `${kind} takes its own`);
  if (kind === 'xandr' && exchange === null)
    faults.push({ pointer: '/exchange', code: 'required', message: 'says whose user ids are those of Xandr' });
  if (kind !== 'xandr' && exchange !== null) refuse('/exchange', 'is for xandr');
  if (kind !== 'lookup' && origins.length > 0) refuse('/origins', 'is for lookup');
  if (kind !== 'webhook' && signingSecret !== undefined) refuse('/signingSecret', 'is for webhook');
  if (kind === 'lookup' && schedule !== 'manual') refuse('/schedule', 'a lookup is answered, not sent');
  return faults;
}

function deliveryFaults(
  { kind, delivery, accessKeySecret }: DestinationInput,
  allowInside: boolean,
  hasSecret: boolean,
): Fault[] {
  const isUrl = delivery.to === 'url';
  if (kind === 'lookup' && delivery.to !== 'download')
    return [{ pointer: '/delivery', code: 'unknown_property', message: 'a lookup is answered, not sent' }];
  if ((kind === 'webhook') !== isUrl && kind !== 'lookup')
    return [{ pointer: '/delivery/to', code: 'enum', message: isUrl ? 'url is for webhook' : 'a webhook goes to a url' }];
  if (delivery.to !== 's3') {
    const extra = accessKeySecret !== undefined;
    if (extra) return [{ pointer: '/accessKeySecret', code: 'unknown_property', message: 'is for s3' }];
  } else if (accessKeySecret === undefined && !hasSecret)
    return [{ pointer: '/accessKeySecret', code: 'required', message: 'is missing' }];
  if (delivery.to === 'download' || delivery.to === 'folder') return [];
  try {
    urlOf(delivery.to === 's3' ? { ...delivery, url: `${delivery.url}file` } : delivery, allowInside);
    return [];
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return [{ pointer: '/delivery/url', code: 'address_refused', message: error.detail ?? error.title }];
  }
}
