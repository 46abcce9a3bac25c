import { landingFaults } from '../campaigns/check-creative.ts';
import type { Creative } from '../campaigns/creative.ts';
import type { Fault } from '../problem.ts';

/** What was found: `faults` keep the creative from going live, `advice` tells where exchanges are likely to refuse it. */
export interface Audit {
  readonly faults: readonly Fault[];
  readonly advice: readonly Fault[];
}

/** Narrower than this nobody sees it; nor does any exchange sell it. */
const LEAST_PIXELS = 20;
/** An address without encryption; names of XML vocabularies look like ones. */
const INSECURE = /\bhttp:\/\/(?!www\.w3\.org\/)[^\s"'<>)]*/i;

/**
 * Looks at a creative before it goes live, and again whenever the snapshot is made, since its advertiser's domains may have
 * changed: it counts clicks, has a size, loads nothing insecurely, leads to a declared domain, says what it is about. Pure.
 */
export function auditCreative(creative: Creative, domains: readonly string[]): Audit {
  return {
    faults: [
      ...clickFaults(creative),
      ...sizeFaults(creative),
      ...secureFaults(creative),
      ...landingFaults(creative.landing, domains),
    ],
    advice: categoryFaults(creative),
  };
}

/** Video, audio and native ads get their click address from the bidder. */
function clickFaults({ type = 'banner', html = '' }: Creative): Fault[] {
  if (type !== 'banner' || html.includes('${CLICK_URL}')) return [];
  return [{ pointer: '/html', code: 'no_click_macro', message: 'must hold ${CLICK_URL}, or its clicks are not counted' }];
}

function sizeFaults({ type = 'banner', w = 0, h = 0 }: Creative): Fault[] {
  if (type !== 'banner') return [];
  const small = Object.entries({ w, h }).filter(([, pixels]) => pixels < LEAST_PIXELS);
  return small.map(([side]) => ({
    pointer: `/${side}`,
    code: 'creative_size',
    message: `must be at least ${LEAST_PIXELS} pixels`,
  }));
}

/** Media and images are https by their schema. */
function secureFaults({ html = '', iurl = '' }: Creative): Fault[] {
  return Object.entries({ html, iurl }).flatMap(([member, text]) => {
    const address = INSECURE.exec(text)?.[0];
    return address === undefined
      ? []
      : [{ pointer: `/${member}`, code: 'not_secure' as const, message: `loads ${address.slice(0, 100)} without encryption` }];
  });
}

function categoryFaults({ categories = [] }: Creative): Fault[] {
  if (categories.length > 0) return [];
  const message = 'names no category: sellers that block some cannot tell, and exchanges that ask for cat get no bid';
  return [{ pointer: '/categories', code: 'no_category', message }];
}
