import { mediaTypesOf } from './banner.ts';
import {
  amountOf,
  answerOf,
  integerOf,
  integersOf,
  isAbsent,
  type JsonObject,
  numberOf,
  objectsOf,
  type Quirks,
  textOf,
} from './fields.ts';
import type { AudioImp, PodPlace, SpotFloors, VideoImp } from './request.ts';

/** What every video player plays. */
const MP4: readonly string[] = Object.freeze(['video/mp4']);

export function videoOf(video: JsonObject, quirks: Quirks): VideoImp {
  const mimes = mediaTypesOf(video, quirks);
  if (mimes.length === 0) quirks.add('video_without_mimes');
  // Written out: two spreads took longer than all else.
  const { podid, slotinpod, poddur, maxseq } = podOf(video, quirks);
  const { mincpmpersec, durfloors } = spotFloorsOf(video, quirks);
  return {
    mimes: mimes.length === 0 ? MP4 : mimes,
    w: amountOf(video['w'], quirks),
    h: amountOf(video['h'], quirks),
    minduration: amountOf(video['minduration'], quirks),
    maxduration: limitOf(video['maxduration'], quirks),
    rqddurs: lengthsOf(video, quirks),
    protocols: protocolsOf(video, quirks),
    linearity: integerOf(video['linearity'], quirks),
    plcmt: integerOf(video['plcmt'], quirks),
    skip: answerOf(video['skip'], quirks),
    battr: integersOf(video['battr'], quirks),
    api: integersOf(video['api'], quirks),
    minbitrate: amountOf(video['minbitrate'], quirks),
    maxbitrate: limitOf(video['maxbitrate'], quirks),
    podid,
    slotinpod,
    poddur,
    maxseq,
    mincpmpersec,
    durfloors,
  };
}

/** Null without media types: unlike with video there is no format that all players share. */
export function audioOf(audio: JsonObject, quirks: Quirks): AudioImp | null {
  const mimes = mediaTypesOf(audio, quirks);
  if (mimes.length === 0) {
    quirks.add('audio_without_mimes');
    return null;
  }
  const { podid, slotinpod, poddur, maxseq } = podOf(audio, quirks);
  const { mincpmpersec, durfloors } = spotFloorsOf(audio, quirks);
  return {
    mimes,
    minduration: amountOf(audio['minduration'], quirks),
    maxduration: limitOf(audio['maxduration'], quirks),
    rqddurs: lengthsOf(audio, quirks),
    protocols: protocolsOf(audio, quirks),
    battr: integersOf(audio['battr'], quirks),
    api: integersOf(audio['api'], quirks),
    minbitrate: amountOf(audio['minbitrate'], quirks),
    maxbitrate: limitOf(audio['maxbitrate'], quirks),
    podid,
    slotinpod,
    poddur,
    maxseq,
    mincpmpersec,
    durfloors,
  };
}

function podOf(media: JsonObject, quirks: Quirks): PodPlace {
  return {
    podid: textOf(media['podid'], quirks),
    slotinpod: slotOf(media, quirks),
    poddur: limitOf(media['poddur'], quirks),
    maxseq: limitOf(media['maxseq'], quirks),
  };
}

/** Of a spot's place, or of a deal. A floor that cannot be read is one that nobody reaches. */
export function spotFloorsOf(wire: JsonObject, quirks: Quirks): SpotFloors {
  return {
    mincpmpersec: isAbsent(wire['mincpmpersec']) ? 0 : unlessUnreadable(wire['mincpmpersec'], quirks),
    durfloors: objectsOf(wire['durfloors'], quirks).map((floor) => ({
      mindur: amountOf(floor['mindur'], quirks),
      maxdur: limitOf(floor['maxdur'], quirks),
      bidfloor: isAbsent(floor['bidfloor']) ? 0 : unlessUnreadable(floor['bidfloor'], quirks),
    })),
  };
}

function unlessUnreadable(value: unknown, quirks: Quirks): number {
  const floor = numberOf(value, quirks);
  return floor === null ? Number.POSITIVE_INFINITY : Math.max(0, floor);
}

/** Infinity where there is none. */
function limitOf(value: unknown, quirks: Quirks): number {
  return amountOf(value, quirks) || Number.POSITIVE_INFINITY;
}

function lengthsOf(media: JsonObject, quirks: Quirks): readonly number[] {
  return integersOf(media['rqddurs'], quirks).filter((seconds) => seconds > 0);
}

/** Also the one protocol of 2.2. */
function protocolsOf(media: JsonObject, quirks: Quirks): readonly number[] {
  const protocols = integersOf(media['protocols'], quirks);
  return protocols.length > 0 ? protocols : integersOf(media['protocol'], quirks);
}

/** -1 last, 1 first, 2 first or last; 0 any, as are positions that the specification does not know. */
function slotOf(media: JsonObject, quirks: Quirks): number {
  const slot = integerOf(media['slotinpod'], quirks) ?? 0;
  return slot === -1 || slot === 1 || slot === 2 ? slot : 0;
}
