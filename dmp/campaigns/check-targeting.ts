import { BROWSER_NAMES } from '../../proto/browsers.ts';
import { countryOf, isCountry } from '../../proto/country.ts';
import { zipKey } from '../../proto/zip.ts';
import { isDomain } from '../advertisers/domain.ts';
import { referenceFault, referenceFaults } from '../http/references.ts';
import { timeZoneFaults } from '../http/time-zone.ts';
import type { Fault } from '../problem.ts';
import { hoursFaults } from '../stores/hours.ts';
import type { Things } from '../things/things.ts';
import { segmentRuleFaults } from './check-segment-rule.ts';
import { segmentsOf } from './segment-rule.ts';
import type { GeoNameInput, TargetingInput } from './targeting.ts';

const AT = '/targeting';
const VERSION = /^\d{1,9}(\.\d{1,9}){0,3}$/;
/** Of the content taxonomies 1.0 ("IAB7-39"), 2.x (numbers) and 3.x (numbers, and six letters and digits). */
const CATEGORY = /^(IAB\d{1,2}(-\d{1,2})?|\d{1,4}|[A-Z0-9]{6})$/;
const CARRIER_CODE = /^\d{3}-\d{2,3}$/;
/** "<segtax>:<id>" or "<name>:<id>". */
const USER_DATA = /^[^:\s][^:]*:\S/;

/** What is wrong with a targeting by itself. */
export function targetingFaults(targeting: TargetingInput): Fault[] {
  const { dayparts, timeZone, osVersions, geo, content, segmentRule } = targeting;
  return [
    ...(dayparts === undefined ? [] : hoursFaults(dayparts, `${AT}/dayparts`)),
    ...(timeZone === undefined ? [] : timeZoneFaults(timeZone, `${AT}/timeZone`)),
    ...(osVersions === undefined ? [] : versionFaults(osVersions)),
    ...each(targeting.languages, `${AT}/languages`, languageFaults),
    ...each(targeting.browsers, `${AT}/browsers`, browserFaults),
    ...each(targeting.carriers, `${AT}/carriers`, carrierFaults),
    ...each(geo?.include, `${AT}/geo/include`, geoFaults),
    ...each(geo?.exclude, `${AT}/geo/exclude`, geoFaults),
    ...each(content?.include, `${AT}/content/include`, categoryFaults),
    ...each(content?.exclude, `${AT}/content/exclude`, categoryFaults),
    ...each(content?.languages, `${AT}/content/languages`, languageFaults),
    ...(targeting.userData ?? []).flatMap((group, index) => each(group, `${AT}/userData/${index}`, userDataFaults)),
    ...each(targeting.eids, `${AT}/eids`, sourceFaults),
    ...(segmentRule === undefined ? [] : segmentRuleFaults(segmentRule, `${AT}/segmentRule`)),
    ...contradictions(targeting),
  ];
}

/** What it names and is not there, or is another advertiser's. */
export function targetedFaults(targeting: TargetingInput, things: Things, advertiser: string): Fault[] {
  const { segments = [], lists, segmentRule } = targeting;
  const isRule = segmentRule !== undefined && segmentRuleFaults(segmentRule, '').length === 0;
  return [
    ...referenceFaults(things, 'exchange', targeting.exchanges, `${AT}/exchanges`, null),
    ...referenceFaults(things, 'inventory-list', lists?.include, `${AT}/lists/include`, advertiser),
    ...referenceFaults(things, 'inventory-list', lists?.exclude, `${AT}/lists/exclude`, advertiser),
    ...segments.flatMap((ids, index) => referenceFaults(things, 'segment', ids, `${AT}/segments/${index}`, advertiser)),
    ...referenceFaults(things, 'segment', targeting.excludedSegments, `${AT}/excludedSegments`, advertiser),
    ...(isRule ? segmentsOf(segmentRule, `${AT}/segmentRule`) : []).flatMap(({ id, pointer }) =>
      referenceFault(things, 'segment', id, pointer, advertiser),
    ),
    ...referenceFaults(things, 'store', targeting.stores, `${AT}/stores`, advertiser),
    ...referenceFaults(things, 'store', targeting.promotedStores, `${AT}/promotedStores`, advertiser),
    ...referenceFaults(things, 'store-group', targeting.storeGroups, `${AT}/storeGroups`, advertiser),
    ...referenceFaults(things, 'geofence', targeting.geofences, `${AT}/geofences`, advertiser),
  ];
}

function each<Item>(items: readonly Item[] | undefined, pointer: string, check: (item: Item, pointer: string) => Fault[]) {
  return (items ?? []).flatMap((item, index) => check(item, `${pointer}/${index}`));
}

function versionFaults({ from, below }: NonNullable<TargetingInput['osVersions']>): Fault[] {
  const faults = Object.entries({ from, below }).flatMap(([name, version]): Fault[] => {
    if (version === undefined || VERSION.test(version)) return [];
    const message = `${JSON.stringify(version)} is not a version: up to four numbers with points between, as 14 or 9.1`;
    return [{ pointer: `${AT}/osVersions/${name}`, code: 'bad_version', message }];
  });
  if (faults.length > 0 || from === undefined || below === undefined || isBelow(from, below)) return faults;
  return [{ pointer: `${AT}/osVersions`, code: 'range_reversed', message: `no version is from ${from} on and below ${below}` }];
}

function isBelow(version: string, limit: string): boolean {
  const left = version.split('.').map(Number);
  const right = limit.split('.').map(Number);
  for (let at = 0; at < 4; at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

const LANGUAGES = new Intl.DisplayNames('en', { type: 'language', fallback: 'none' });

function languageFaults(language: string, pointer: string): Fault[] {
  if (/^[a-z]{2}$/i.test(language) && LANGUAGES.of(language.toLowerCase()) !== undefined) return [];
  const message = `${JSON.stringify(language)} is not a language in two letters (ISO 639-1)`;
  return [{ pointer, code: 'unknown_language', message }];
}

const BROWSERS: ReadonlySet<string> = new Set(BROWSER_NAMES);

function browserFaults(browser: string, pointer: string): Fault[] {
  if (BROWSERS.has(browser.trim().toLowerCase())) return [];
  return [
    {
      pointer,
      code: 'unknown_browser',
      message: `there is no browser ${JSON.stringify(browser)} among ${BROWSER_NAMES.join(', ')}`,
    },
  ];
}

function carrierFaults(carrier: string, pointer: string): Fault[] {
  if (!/^[\d\s-]+$/.test(carrier) || CARRIER_CODE.test(carrier)) return [];
  return [{ pointer, code: 'bad_carrier', message: `${JSON.stringify(carrier)} is neither a name nor MCC-MNC, as 244-05` }];
}

function geoFaults({ country, region }: GeoNameInput, pointer: string): Fault[] {
  const code = countryOf(country);
  if (!isCountry(code)) {
    const message = `there is no country ${JSON.stringify(country)} (ISO 3166-1)`;
    return [{ pointer: `${pointer}/country`, code: 'unknown_country', message }];
  }
  if (region === undefined || regionOf(region, code) !== null) return [];
  const message = `${JSON.stringify(region)} is not a region of ${code} (ISO 3166-2)`;
  return [{ pointer: `${pointer}/region`, code: 'bad_region', message }];
}

/** Upper case, without the country; null where it is not the code of a region there. */
export function regionOf(region: string, country: string): string | null {
  const [, prefix, code] = /^(?:([A-Z]{2})-)?([A-Z0-9]{1,3})$/.exec(region.toUpperCase()) ?? [];
  if (code === undefined || (prefix !== undefined && countryOf(prefix) !== country)) return null;
  return code;
}

function categoryFaults(category: string, pointer: string): Fault[] {
  if (CATEGORY.test(category.toUpperCase())) return [];
  const message = `${JSON.stringify(category)} is not an id of an IAB content category`;
  return [{ pointer, code: 'bad_category', message }];
}

function userDataFaults(segment: string, pointer: string): Fault[] {
  if (USER_DATA.test(segment)) return [];
  const message = `${JSON.stringify(segment)} is neither "<segtax>:<id>" nor "<name of the data>:<id>"`;
  return [{ pointer, code: 'bad_user_data', message }];
}

function sourceFaults(source: string, pointer: string): Fault[] {
  if (isDomain(source.toLowerCase())) return [];
  return [{ pointer, code: 'bad_domain', message: `${JSON.stringify(source)} is not a domain, as sources of extended ids are` }];
}

/** What is asked for and excluded at once can never be. */
function contradictions({ lists, content, geo, segments = [], excludedSegments = [] }: TargetingInput): Fault[] {
  const geoKey = ({ country, region, city, zip }: GeoNameInput) =>
    [countryOf(country), region?.toUpperCase(), city?.toLowerCase(), zip && zipKey(zip)].join('\n');
  return [
    ...swallowed(lists?.include, lists?.exclude, `${AT}/lists/exclude`, (id) => id),
    ...swallowed(content?.include, content?.exclude, `${AT}/content/exclude`, (id) => id.toUpperCase()),
    ...swallowed(geo?.include, geo?.exclude, `${AT}/geo/exclude`, geoKey),
    ...segments.flatMap((group) => swallowed(group, excludedSegments, `${AT}/excludedSegments`, (id) => id)),
  ];
}

/** Where everything of `include` is in `exclude`: the first of those there. */
function swallowed<Item>(
  include: readonly Item[] | undefined,
  exclude: readonly Item[] | undefined,
  pointer: string,
  key: (item: Item) => string,
): Fault[] {
  if (include === undefined || exclude === undefined) return [];
  const wanted = new Set(include.map(key));
  const excluded = exclude.map(key);
  if (![...wanted].every((item) => excluded.includes(item))) return [];
  const index = excluded.findIndex((item) => wanted.has(item));
  return [{ pointer: `${pointer}/${index}`, code: 'contradiction', message: 'excludes all that is asked for' }];
}
