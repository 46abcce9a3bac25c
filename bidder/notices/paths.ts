import type { AdEventType } from '../../proto/ad-event.ts';

/** The last part of a notice address, and what it reports. */
export const NOTICE_EVENTS = {
  win: 'win',
  bill: 'billing',
  loss: 'loss',
  imp: 'impression',
  click: 'click',
  event: 'media',
} as const satisfies Record<string, AdEventType>;

export type NoticePath = keyof typeof NOTICE_EVENTS;
export type NoticeEvent = (typeof NOTICE_EVENTS)[NoticePath] | 'view';

export function isNoticePath(path: string): path is NoticePath {
  return Object.hasOwn(NOTICE_EVENTS, path);
}

/**
 * What a shown ad may report at `/n/event?…&e=<detail>`: the tracking events of VAST 4.2 (3.14.1) that a player sends, the
 * progress of audio by the same names, and the viewability events of VAST, Open Measurement and OpenRTB native.
 */
export const EVENT_DETAILS = {
  creativeView: 'media',
  loaded: 'media',
  start: 'media',
  firstQuartile: 'media',
  midpoint: 'media',
  thirdQuartile: 'media',
  complete: 'media',
  skip: 'media',
  mute: 'media',
  unmute: 'media',
  pause: 'media',
  resume: 'media',
  rewind: 'media',
  fullscreen: 'media',
  playerExpand: 'media',
  playerCollapse: 'media',
  closeLinear: 'media',
  error: 'media',
  viewable: 'view',
  notViewable: 'view',
  viewUndetermined: 'view',
} as const satisfies Record<string, AdEventType>;

export type EventDetail = keyof typeof EVENT_DETAILS;

export function isEventDetail(detail: string): detail is EventDetail {
  return Object.hasOwn(EVENT_DETAILS, detail);
}

/**
 * What a signature binds beside the bid: the event, so that the public pixel's address cannot be called as billing; and of a
 * click where it leads, so that nobody makes us redirect elsewhere.
 */
export function clickContext(landing: string): string {
  return `click\n${landing}`;
}

/** Of `/n/event` its detail is bound too. */
export function eventContext(detail: string): string {
  return `event\n${detail}`;
}
