import type { Offer } from './case.ts';
import { countOf, type Json, numberOf, textOf, textsOf, wholeOf, wholesOf } from './read.ts';
import { elementsOf, parseXml, type XmlElement } from './xml.ts';

/** The `protocols` that each version may be asked for with: in line, and as a wrapper. */
const PROTOCOLS: Readonly<Record<string, readonly [inLine: number, wrapper: number]>> = {
  'VAST 1.0': [1, 4],
  'VAST 2.0': [2, 5],
  'VAST 3.0': [3, 6],
  'VAST 4.0': [7, 8],
  'VAST 4.1': [11, 12],
  'VAST 4.2': [13, 14],
  'VAST 4.3': [15, 16],
  'DAAST 1.0': [9, 10],
  'DAAST 1.1': [9, 10],
};

/** Faults of a video's or an audio's VAST against what the imp takes. */
export function judgeSpot(offer: Offer): string[] {
  const markup = textOf(offer.bid['adm']);
  if (markup === '') return [];
  let vast: XmlElement;
  try {
    vast = parseXml(markup);
  } catch (error) {
    return [`VAST: ${(error as Error).message}`];
  }
  if (vast.name !== 'VAST' && !(vast.name === 'DAAST' && offer.medium === 'audio')) return [`VAST: the root is <${vast.name}>`];
  const ads = vast.children.filter(({ name }) => name === 'Ad');
  if (ads.length !== 1) return [`VAST: ${ads.length} ads`];
  const ad = ads[0] as XmlElement;
  const inLine = ad.children.find(({ name }) => name === 'InLine');
  const wrapper = ad.children.find(({ name }) => name === 'Wrapper');
  const faults = [...judgeProtocol(vast, wrapper !== undefined, offer), ...judgePod(offer)];
  if (wrapper !== undefined) return [...faults, ...judgeWrapper(wrapper)];
  return inLine === undefined
    ? [...faults, 'VAST: neither InLine nor Wrapper']
    : [...faults, ...judgeInLine(inLine, vast, offer)];
}

function judgeProtocol(vast: XmlElement, isWrapper: boolean, { media, bid }: Offer): string[] {
  const version = `${vast.name} ${vast.attributes['version'] ?? ''}`;
  const known = PROTOCOLS[version];
  if (known === undefined) return [`VAST: version "${version}"`];
  const protocol = isWrapper ? known[1] : known[0];
  const wanted = [...wholesOf(media['protocols']), ...wholesOf(media['protocol'])];
  const faults =
    wanted.length > 0 && !wanted.includes(protocol) ? [`${version} is protocol ${protocol}, asked for ${wanted.join(', ')}`] : [];
  const stated = wholeOf(bid['protocol']);
  if (stated !== null && stated !== protocol) faults.push(`protocol ${stated} is said of ${version}`);
  return faults;
}

function judgePod({ media, bid }: Offer): string[] {
  const slot = wholeOf(bid['slotinpod']);
  const asked = wholeOf(media['slotinpod']) ?? 0;
  return slot !== null && asked !== 0 && slot !== asked ? [`slot ${slot} of the pod, asked for ${asked}`] : [];
}

function judgeWrapper(wrapper: XmlElement): string[] {
  const missing = ['AdSystem', 'VASTAdTagURI', 'Impression'].filter((name) => elementsOf(wrapper, name).length === 0);
  return missing.map((name) => `VAST: no ${name}`);
}

function judgeInLine(inLine: XmlElement, vast: XmlElement, offer: Offer): string[] {
  const faults: string[] = [];
  for (const name of ['AdSystem', 'AdTitle', 'Impression', 'Creatives'])
    if (!inLine.children.some((child) => child.name === name)) faults.push(`VAST: no ${name}`);
  const isNew = (vast.attributes['version'] ?? '').startsWith('4');
  if (isNew && elementsOf(inLine, 'UniversalAdId').length === 0) faults.push('VAST: no UniversalAdId');
  for (const name of ['Impression', 'Error', 'Tracking', 'ClickThrough', 'ClickTracking', 'ViewableImpression'])
    for (const { text, children } of elementsOf(inLine, name))
      if (children.length === 0 && !URL.canParse(text)) faults.push(`VAST: ${name} is no address`);
  if (!elementsOf(inLine, 'Impression').some(({ text }) => text !== '')) faults.push('VAST: the impression calls nobody');
  const [linear] = elementsOf(inLine, 'Linear');
  if (linear === undefined) return [...faults, 'VAST: nothing linear'];
  return [...faults, ...judgeLinear(linear, vast, offer)];
}

function judgeLinear(linear: XmlElement, vast: XmlElement, offer: Offer): string[] {
  const { media, bid, medium } = offer;
  const faults: string[] = [];
  if (medium === 'video' && wholeOf(media['linearity']) === 2) faults.push('VAST: linear where only non-linear may be');
  if (linear.attributes['skipoffset'] !== undefined && wholeOf(media['skip']) === 0)
    faults.push('VAST: skippable where that is not allowed');
  const text = linear.children.find(({ name }) => name === 'Duration')?.text ?? '';
  const seconds = secondsOf(text);
  if (seconds === null) faults.push(`VAST: duration "${text}"`);
  else faults.push(...judgeDuration(seconds, media, bid));
  return [...faults, ...judgeFiles(elementsOf(linear, 'MediaFile'), vast, offer)];
}

/** "00:00:15" and "00:00:15.500". */
function secondsOf(text: string): number | null {
  const match = /^(\d{2}):([0-5]\d):([0-5]\d)(\.\d{3})?$/.exec(text);
  return match === null ? null : Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3]) + Number(match[4] ?? 0);
}

function judgeDuration(seconds: number, media: Json, bid: Json): string[] {
  const faults: string[] = [];
  const exact = wholesOf(media['rqddurs']).filter((length) => length > 0);
  const [least, most] = [countOf(media['minduration']), countOf(media['maxduration']) || Number.POSITIVE_INFINITY];
  if (exact.length > 0) {
    if (!exact.includes(seconds)) faults.push(`${seconds} s is none of ${exact.join(', ')} s`);
  } else if (seconds < least || seconds > most) faults.push(`${seconds} s is not within ${least} to ${most} s`);
  const room = countOf(media['poddur']) || Number.POSITIVE_INFINITY;
  if (seconds > room) faults.push(`${seconds} s in a pod of ${room} s`);
  const stated = wholeOf(bid['dur']);
  if (stated !== null && Math.abs(stated - seconds) > 1) faults.push(`dur ${stated} for ${seconds} s`);
  return faults;
}

function judgeFiles(files: readonly XmlElement[], vast: XmlElement, { media, medium }: Offer): string[] {
  if (files.length === 0) return ['VAST: no media file'];
  const faults = files.flatMap((file) => judgeFile(file, vast, medium));
  const mimes = textsOf(media['mimes']).map((mime) => mime.trim().toLowerCase());
  const fitting = files.filter(
    ({ attributes }) => mimes.length === 0 || mimes.includes((attributes['type'] ?? '').toLowerCase()),
  );
  if (fitting.length === 0) return [...faults, `no media file is one of ${mimes.join(', ')}`];
  if (!fitting.some((file) => hasBitrate(file, media))) faults.push('no media file has a bitrate that is asked for');
  const apis = wholesOf(media['api']);
  const needsApi = (file: XmlElement) =>
    file.attributes['apiFramework'] !== undefined && !apis.some((api) => api === 1 || api === 2);
  return fitting.every(needsApi) ? [...faults, 'a media file needs an API that is not offered'] : faults;
}

function judgeFile({ attributes, text }: XmlElement, vast: XmlElement, medium: string): string[] {
  const faults: string[] = [];
  if (!URL.canParse(text)) faults.push('VAST: a media file is no address');
  if (!['progressive', 'streaming'].includes(attributes['delivery'] ?? ''))
    faults.push(`VAST: delivery "${attributes['delivery'] ?? ''}"`);
  // Sound has no size, which VAST allows to leave out from 4.1 on.
  const sized = medium === 'video' || (vast.name === 'VAST' && Number(vast.attributes['version']) < 4.1);
  for (const name of sized ? ['width', 'height'] : [])
    if (!/^\d+$/.test(attributes[name] ?? '')) faults.push(`VAST: a media file without ${name}`);
  return faults;
}

function hasBitrate({ attributes }: XmlElement, media: Json): boolean {
  const rates = [attributes['bitrate'], attributes['minBitrate'], attributes['maxBitrate']].flatMap(
    (rate) => numberOf(rate) ?? [],
  );
  const [least, most] = [countOf(media['minbitrate']), countOf(media['maxbitrate']) || Number.POSITIVE_INFINITY];
  return rates.length === 0 || rates.some((rate) => rate >= least && rate <= most);
}
