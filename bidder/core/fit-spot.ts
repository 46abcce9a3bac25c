import type { MediaFile } from '../../proto/snapshot.ts';
import type { AudioImp, VideoImp } from '../openrtb/request.ts';
import type { Audio, Video } from './line-item.ts';

/** How the spot is written: VAST, or the older DAAST of audio players. */
export interface SpotFormat {
  readonly root: 'VAST' | 'DAAST';
  readonly version: string;
  /** The number that the request lists it under (List: Protocols). */
  readonly protocol: number;
}

/** Newest first. Ours is InLine, so the numbers of wrappers do not help. */
const VAST: readonly SpotFormat[] = [
  { root: 'VAST', version: '4.3', protocol: 15 },
  { root: 'VAST', version: '4.2', protocol: 13 },
  { root: 'VAST', version: '4.1', protocol: 11 },
  { root: 'VAST', version: '4.0', protocol: 7 },
  { root: 'VAST', version: '3.0', protocol: 3 },
  { root: 'VAST', version: '2.0', protocol: 2 },
];
const DAAST: SpotFormat = { root: 'DAAST', version: '1.0', protocol: 9 };
/** Where the request names none: what has been in use longest among VAST 4. */
const USUAL = VAST[3] as SpotFormat;
/** "Has a skip button" (List: Creative Attributes). */
export const SKIPPABLE = 16;
const LINEAR = 1;

/** A spot as it may be played in a place. */
export interface SpotFit {
  readonly format: SpotFormat;
  readonly media: readonly MediaFile[];
  /** Seconds until it may be skipped, null not at all. */
  readonly skipAfter: number | null;
}

/** OpenRTB 2.6, 3.2.7. Null where it does not fit. */
export function fitVideo(imp: VideoImp, creative: Video): SpotFit | null {
  if (imp.linearity !== null && imp.linearity !== LINEAR) return null;
  const format = formatOf(imp.protocols, false);
  if (format === null || !hasLength(imp, creative.duration)) return null;
  const media = mediaFor(imp, creative.media);
  if (media.length === 0) return null;
  media.sort((a, b) => waste(a, imp) - waste(b, imp) || b.bitrate - a.bitrate);
  // A seller that forbids skipping, or skip buttons, plays it to its end.
  const skippable = imp.skip !== false && !imp.battr.includes(SKIPPABLE);
  return { format, media, skipAfter: skippable ? creative.skipAfter : null };
}

/** OpenRTB 2.6, 3.2.8. */
export function fitAudio(imp: AudioImp, creative: Audio): SpotFit | null {
  const format = formatOf(imp.protocols, true);
  if (format === null || !hasLength(imp, creative.duration)) return null;
  const media = mediaFor(imp, creative.media);
  return media.length === 0 ? null : { format, media, skipAfter: null };
}

function formatOf(protocols: readonly number[], isAudio: boolean): SpotFormat | null {
  if (protocols.length === 0) return USUAL;
  for (const format of VAST) if (protocols.includes(format.protocol)) return format;
  return isAudio && protocols.includes(DAAST.protocol) ? DAAST : null;
}

/** Exact lengths rule out least and longest. What is longer than its whole pod has no room in it. */
function hasLength({ rqddurs, minduration, maxduration, poddur }: VideoImp | AudioImp, duration: number): boolean {
  if (duration > poddur) return false;
  if (rqddurs.length > 0) return rqddurs.includes(duration);
  return duration >= minduration && duration <= maxduration;
}

function mediaFor({ mimes, minbitrate, maxbitrate }: VideoImp | AudioImp, media: readonly MediaFile[]): MediaFile[] {
  return media.filter(
    ({ mime, bitrate }) =>
      (mimes.length === 0 || mimes.includes(mime)) && bitrate >= minbitrate && (maxbitrate <= 0 || bitrate <= maxbitrate),
  );
}

/** How far a file's size is from the player's: files that must be made larger come last. */
function waste({ w }: MediaFile, player: VideoImp): number {
  if (player.w <= 0) return 0;
  return w >= player.w ? w - player.w : 100_000 + player.w - w;
}
