import type { Fault } from '../problem.ts';
import type { Creative } from './creative.ts';

type Type = NonNullable<Creative['type']>;
type Member = 'w' | 'h' | 'html' | 'duration' | 'skipAfter' | 'title' | 'media' | 'data' | 'images';

/** The members that a type must have, and those that it may have. */
const MEMBERS: Readonly<Record<Type, { readonly needed: readonly Member[]; readonly more: readonly Member[] }>> = {
  banner: { needed: ['w', 'h', 'html'], more: [] },
  video: { needed: ['duration', 'title', 'media'], more: ['skipAfter'] },
  audio: { needed: ['duration', 'title', 'media'], more: [] },
  native: { needed: ['title', 'data', 'images'], more: [] },
};
const ALL: readonly Member[] = ['w', 'h', 'html', 'duration', 'skipAfter', 'title', 'media', 'data', 'images'];
/** Playlists of adaptive streams, beside files of the medium itself. */
const STREAMS = ['application/x-mpegurl', 'application/vnd.apple.mpegurl', 'application/dash+xml'];

/** What a creative of its type lacks or cannot have, and what does not go together. */
export function mediaFaults(creative: Creative): Fault[] {
  const { type = 'banner' } = creative;
  const { needed, more } = MEMBERS[type];
  return [
    ...needed.filter((name) => creative[name] === undefined).map((name) => missing(name)),
    ...ALL.filter((name) => creative[name] !== undefined && !needed.includes(name) && !more.includes(name)).map((name) =>
      foreign(name, type),
    ),
    ...fileFaults(creative, type),
    ...skipFaults(creative),
  ];
}

function missing(name: Member): Fault {
  return { pointer: `/${name}`, code: 'required', message: 'is missing' };
}

function foreign(name: Member, type: Type): Fault {
  return { pointer: `/${name}`, code: 'unknown_property', message: `is not a member of a creative of type ${type}` };
}

function fileFaults({ media = [] }: Creative, type: Type): Fault[] {
  if (type !== 'video' && type !== 'audio') return [];
  return media.flatMap(({ mime, w, h }, index) => {
    const at = `/media/${index}`;
    const faults: Fault[] = [];
    if (!mime.startsWith(`${type}/`) && !STREAMS.includes(mime))
      faults.push({ pointer: `${at}/mime`, code: 'wrong_medium', message: `is no ${type}` });
    if (type === 'video' && w === undefined) faults.push({ pointer: `${at}/w`, code: 'required', message: 'is missing' });
    if (type === 'video' && h === undefined) faults.push({ pointer: `${at}/h`, code: 'required', message: 'is missing' });
    return faults;
  });
}

function skipFaults({ skipAfter, duration }: Creative): Fault[] {
  if (typeof skipAfter !== 'number' || duration === undefined || skipAfter < duration) return [];
  return [{ pointer: '/skipAfter', code: 'maximum', message: `must be below the duration, ${duration}` }];
}
