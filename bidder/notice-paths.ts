import type { AdEventType } from '../proto/ad-event.ts';

/** The last part of a notice address, and what it reports. */
export const NOTICE_EVENTS = {
  win: 'win',
  bill: 'billing',
  loss: 'loss',
  imp: 'impression',
  click: 'click',
} as const satisfies Record<string, AdEventType>;

export type NoticePath = keyof typeof NOTICE_EVENTS;
export type NoticeEvent = (typeof NOTICE_EVENTS)[NoticePath];

export function isNoticePath(path: string): path is NoticePath {
  return Object.hasOwn(NOTICE_EVENTS, path);
}

/**
 * What a signature binds beside the bid: the event, so that the public pixel's address cannot be called as billing; and of a
 * click where it leads, so that nobody makes us redirect elsewhere.
 */
export function clickContext(landing: string): string {
  return `click\n${landing}`;
}
