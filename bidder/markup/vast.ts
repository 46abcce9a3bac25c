import type { MediaFile } from '../../proto/snapshot.ts';
import { CONTENT_1, categoriesIn } from '../core/categories.ts';
import type { SpotFit } from '../core/fit-spot.ts';
import type { Audio, LineItem, Video } from '../core/line-item.ts';
import { fillMacros, type MacroValues } from '../core/texts.ts';
import type { NoticeAddresses } from '../notices/address.ts';
import type { EventDetail } from '../notices/paths.ts';
import { cdata, escapeXml } from './escape.ts';

/**
 * A spot as VAST InLine (IAB VAST 4.x; 2.0 and 3.0 for older players), or as DAAST 1.0 for audio players that know only that.
 * What a version does not have is left out.
 */
export interface Spot {
  readonly creative: Video | Audio;
  readonly fit: SpotFit;
  readonly lineItem: LineItem;
  /** Id of the bid, which is AdServingId. */
  readonly bid: string;
  readonly values: MacroValues;
  readonly click: string;
  readonly addresses: NoticeAddresses;
}

const EVENTS: readonly EventDetail[] = [
  'start',
  'firstQuartile',
  'midpoint',
  'thirdQuartile',
  'complete',
  'mute',
  'unmute',
  'pause',
  'resume',
];

export function spotMarkup(spot: Spot): string {
  const { root, version } = spot.fit.format;
  const kind = isFrom(spot, 4.1) ? ` adType="${spot.creative.type}"` : '';
  const ad = `<Ad id="${escapeXml(spot.creative.id)}"${kind}>${inLine(spot)}</Ad>`;
  return `<?xml version="1.0" encoding="UTF-8"?><${root} version="${version}">${ad}</${root}>`;
}

/** DAAST 1.0 has what VAST 3.0 has. */
function isFrom({ fit: { format } }: Spot, version: number): boolean {
  return format.root === 'VAST' && Number(format.version) >= version;
}

function inLine(spot: Spot): string {
  const { addresses, creative, lineItem, values } = spot;
  const title = element('AdTitle', escapeXml(fillMacros(creative.title, values)) || 'Ad');
  const error = element('Error', cdata(`${addresses.event('error')}&code=[ERRORCODE]`));
  const impression = `<Impression id="walkin">${cdata(addresses.impression)}</Impression>`;
  const creatives = element('Creatives', creativeOf(spot));
  const system = element('AdSystem', 'Walkin');
  if (!isFrom(spot, 4)) return element('InLine', system + title + error + impression + creatives);
  const serving = isFrom(spot, 4.1) ? element('AdServingId', escapeXml(spot.bid)) : '';
  const advertiser = element('Advertiser', escapeXml(lineItem.domains[0] ?? lineItem.advertiser));
  const categories = categoriesIn(lineItem.categories, CONTENT_1)
    .map((category) => `<Category authority="iabtechlab.com">${escapeXml(category)}</Category>`)
    .join('');
  return element('InLine', system + error + impression + viewable(spot) + serving + title + advertiser + categories + creatives);
}

function viewable({ addresses, creative }: Spot): string {
  if (creative.type !== 'video') return '';
  const seen = element('Viewable', cdata(addresses.event('viewable')));
  const unseen = element('NotViewable', cdata(addresses.event('notViewable')));
  const unknown = element('ViewUndetermined', cdata(addresses.event('viewUndetermined')));
  return `<ViewableImpression id="walkin">${seen}${unseen}${unknown}</ViewableImpression>`;
}

function creativeOf(spot: Spot): string {
  const { creative, fit } = spot;
  const id = escapeXml(creative.id);
  const value = isFrom(spot, 4.1) ? '' : ` idValue="${id}"`;
  const universal = isFrom(spot, 4) ? `<UniversalAdId idRegistry="unknown"${value}>${id}</UniversalAdId>` : '';
  const hasSkip = fit.skipAfter !== null && (isFrom(spot, 3) || fit.format.root === 'DAAST');
  const skip = hasSkip ? ` skipoffset="${clock(fit.skipAfter ?? 0)}"` : '';
  return `<Creative id="${id}" adId="${id}" sequence="1">${universal}<Linear${skip}>${linear(spot)}</Linear></Creative>`;
}

/** The order of the elements is that of each version's schema. */
function linear(spot: Spot): string {
  const { addresses, creative, fit, click } = spot;
  const events = fit.skipAfter === null ? EVENTS : [...EVENTS, 'skip' as const];
  const tracking = events.map((event) => `<Tracking event="${event}">${cdata(addresses.event(event))}</Tracking>`).join('');
  const clicks = element(fit.format.root === 'DAAST' ? 'AdInteractions' : 'VideoClicks', element('ClickThrough', cdata(click)));
  const duration = element('Duration', clock(creative.duration));
  const files = element('MediaFiles', fit.media.map((file) => mediaFile(file, spot)).join(''));
  return isFrom(spot, 4)
    ? element('TrackingEvents', tracking) + duration + files + clicks
    : duration + element('TrackingEvents', tracking) + clicks + files;
}

/** Playlists of adaptive streams. */
const STREAMS = /^application\/(x-mpegurl|vnd\.apple\.mpegurl|dash\+xml)$/;

/** Sound has no size, which VAST before 4.1 asks for all the same. */
function mediaFile({ url, mime, bitrate, w, h }: MediaFile, spot: Spot): string {
  const rate = bitrate > 0 ? ` bitrate="${bitrate}"` : '';
  const sized = spot.fit.format.root === 'VAST' && (spot.creative.type === 'video' || !isFrom(spot, 4.1));
  const size = sized ? ` width="${w}" height="${h}"` : '';
  const scaling = spot.creative.type === 'video' ? ' scalable="true" maintainAspectRatio="true"' : '';
  const delivery = STREAMS.test(mime) ? 'streaming' : 'progressive';
  return `<MediaFile delivery="${delivery}" type="${escapeXml(mime)}"${rate}${size}${scaling}>${cdata(url)}</MediaFile>`;
}

function element(name: string, content: string): string {
  return `<${name}>${content}</${name}>`;
}

/** Seconds as HH:MM:SS, with milliseconds where there are any. */
function clock(seconds: number): string {
  const text = new Date(Math.round(seconds * 1000)).toISOString();
  return text.slice(11, text.endsWith('.000Z') ? 19 : 23);
}
