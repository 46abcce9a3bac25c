import { CREATIVE_MACROS } from '../../proto/macros.ts';
import { isWithinDomains } from '../advertisers/domain.ts';
import { referenceFault } from '../http/references.ts';
import type { Fault } from '../problem.ts';
import type { Things } from '../things/things.ts';
import type { Creative } from './creative.ts';
import { mediaFaults } from './creative-media.ts';

/** OpenRTB 2.6, 4.4: the exchange fills these in. */
const OPENRTB_MACROS = [
  'AUCTION_ID',
  'AUCTION_BID_ID',
  'AUCTION_IMP_ID',
  'AUCTION_SEAT_ID',
  'AUCTION_AD_ID',
  'AUCTION_PRICE',
  'AUCTION_CURRENCY',
  'AUCTION_MBR',
  'AUCTION_LOSS',
  'AUCTION_MIN_TO_WIN',
  'AUCTION_MULTIPLIER',
  'AUCTION_IMP_TS',
];

const KNOWN: ReadonlySet<string> = new Set<string>([...CREATIVE_MACROS, ...OPENRTB_MACROS]);
/** In HTML only what is written like a macro counts: `${count + 1}` may stand in a script. */
const IN_HTML = /\$\{([A-Z][A-Z0-9_]*)(?::[^}]*)?\}/g;
const IN_ADDRESS = /\$\{([^}]*)\}?/g;

export function checkCreative(creative: Creative, things: Things): Fault[] {
  const domains = things.get('advertiser', creative.advertiser)?.body.domains ?? null;
  return [
    ...referenceFault(things, 'advertiser', creative.advertiser, '/advertiser', null),
    ...mediaFaults(creative),
    ...macroFaults(creative.html ?? '', IN_HTML, '/html'),
    ...macroFaults(creative.title ?? '', IN_HTML, '/title'),
    ...Object.entries(creative.data ?? {}).flatMap(([type, text]) => macroFaults(text, IN_HTML, `/data/${type}`)),
    ...macroFaults(creative.landing, IN_ADDRESS, '/landing'),
    ...(domains === null ? [] : landingFaults(creative.landing, domains)),
  ];
}

function macroFaults(text: string, pattern: RegExp, pointer: string): Fault[] {
  const unknown = [...text.matchAll(pattern)].map((match) => match[1] as string).filter((name) => !KNOWN.has(name));
  return [...new Set(unknown)].map((name) => ({
    pointer,
    code: 'unknown_macro',
    message: `there is no macro \${${name.slice(0, 50)}}`,
  }));
}

/** Faults of a landing address that is not on one of these domains. */
export function landingFaults(landing: string, domains: readonly string[]): Fault[] {
  const host = landingHost(landing);
  if (host !== null && isWithinDomains(host, domains)) return [];
  const message = `must be http or https on ${domains.slice(0, 5).join(', ')}`;
  return [{ pointer: '/landing', code: 'landing_domain', message }];
}

/** Null where there is none that can be trusted: a macro in it would let data say where the click leads. */
function landingHost(landing: string): string | null {
  const authority = /^https?:\/\/([^/?#\\]*)/i.exec(landing)?.[1];
  if (authority === undefined || authority.includes('${')) return null;
  const filled = landing.replaceAll(IN_ADDRESS, 'x');
  return URL.canParse(filled) ? new URL(filled).hostname : null;
}
