import type { Offer } from './case.ts';
import {
  countOf,
  isObject,
  isOn,
  type Json,
  objectOf,
  objectsOf,
  parseObject,
  textOf,
  textsOf,
  wholeOf,
  wholesOf,
} from './read.ts';

const KINDS = ['title', 'img', 'video', 'data'] as const;

/** Faults of a native answer: each asset is one that was asked for, of its kind and size, and none that is required is missing. */
export function judgeNative({ imp, media, bid }: Offer): string[] {
  const answer = answerOf(bid);
  if (answer === null) return ['native: adm is no JSON object'];
  const asked = requestOf(media);
  if (asked === null) return ['native: bid on a request that cannot be read'];
  const faults: string[] = [];
  const wanted = objectsOf(asked['assets']);
  const given = objectsOf(answer['assets']);
  for (const asset of wanted) {
    const answers = given.filter(({ id }) => wholeOf(id) === (wholeOf(asset['id']) ?? 0));
    if (answers.length === 0 && isOn(asset['required'])) faults.push(`native: required asset ${textOf(asset['id'])} is missing`);
    if (answers.length > 1 && wanted.filter(({ id }) => id === asset['id']).length === 1)
      faults.push(`native: asset ${textOf(asset['id'])} twice`);
  }
  for (const asset of given) faults.push(...judgeAsset(asset, wanted, isOn(imp['secure'])));
  const link = objectOf(answer['link']);
  if (!URL.canParse(textOf(link['url']))) faults.push('native: link.url is no address');
  return [...faults, ...judgeTrackers(answer, asked)];
}

/** Before 1.2 the answer stood in an object `native`. */
function answerOf(bid: Json): Json | null {
  if (isObject(bid['adm_native'])) return bid['adm_native'];
  const markup = parseObject(Buffer.from(textOf(bid['adm'])));
  return markup !== null && isObject(markup['native']) ? markup['native'] : markup;
}

function requestOf(native: Json): Json | null {
  const given = native['request'] ?? native['request_native'];
  const request = isObject(given) ? given : typeof given === 'string' ? parseObject(Buffer.from(given)) : null;
  return request !== null && isObject(request['native']) ? request['native'] : request;
}

function judgeAsset(asset: Json, wanted: readonly Json[], secure: boolean): string[] {
  const id = wholeOf(asset['id']);
  const name = `native: asset ${id ?? 'without id'}`;
  const kinds = KINDS.filter((kind) => isObject(asset[kind]));
  if (kinds.length !== 1) return [`${name} is of ${kinds.length} kinds`];
  const kind = kinds[0] as (typeof KINDS)[number];
  const same = wanted.filter((one) => (wholeOf(one['id']) ?? 0) === (id ?? 0));
  if (same.length === 0) return [`${name} is not asked for`];
  const question = same.find((one) => isObject(one[kind]));
  if (question === undefined) return [`${name} is a ${kind}, which is not asked for`];
  return judgeContent(kind, objectOf(asset[kind]), objectOf(question[kind]), secure).map((fault) => `${name}: ${fault}`);
}

function judgeContent(kind: (typeof KINDS)[number], given: Json, asked: Json, secure: boolean): string[] {
  if (kind === 'title') return judgeText(textOf(given['text']), asked);
  if (kind === 'data') return judgeText(textOf(given['value']), asked);
  if (kind === 'video') return textOf(given['vasttag']) === '' ? ['no vasttag'] : [];
  return judgeImage(given, asked, secure);
}

function judgeText(text: string, asked: Json): string[] {
  const longest = countOf(asked['len']);
  if (text === '') return ['empty'];
  return longest > 0 && [...text].length > longest ? [`${[...text].length} characters of ${longest}`] : [];
}

function judgeImage(given: Json, asked: Json, secure: boolean): string[] {
  const faults: string[] = [];
  const address = textOf(given['url']);
  if (!URL.canParse(address)) faults.push('no address');
  else if (secure && !address.startsWith('https:')) faults.push('a plain address on a secure imp');
  for (const [side, least] of [
    ['w', 'wmin'],
    ['h', 'hmin'],
  ] as const) {
    const pixels = wholeOf(given[side]);
    if (pixels === null) continue;
    const [exact, smallest] = [countOf(asked[side]), countOf(asked[least])];
    // With both, the exact size is a wish and the least one the rule.
    if (smallest > 0 ? pixels < smallest : exact > 0 && pixels !== exact)
      faults.push(`${side} ${pixels} is not ${smallest > 0 ? `at least ${smallest}` : exact}`);
  }
  const mimes = textsOf(asked['mimes']).map((mime) => mime.toLowerCase());
  const mime = mimeOf(address);
  if (mimes.length > 0 && mime !== null && !mimes.some((one) => one === mime || (one === 'image/jpg' && mime === 'image/jpeg')))
    faults.push(`${mime} is not asked for`);
  return faults;
}

function mimeOf(address: string): string | null {
  const ending = /\.(png|jpe?g|gif|webp)(\?|$)/i.exec(address)?.[1]?.toLowerCase();
  return ending === undefined ? null : `image/${ending === 'jpg' ? 'jpeg' : ending}`;
}

function judgeTrackers(answer: Json, asked: Json): string[] {
  const offered = objectsOf(asked['eventtrackers']);
  return objectsOf(answer['eventtrackers']).flatMap((tracker) => {
    const [event, method] = [wholeOf(tracker['event']) ?? 0, wholeOf(tracker['method']) ?? 0];
    if (!URL.canParse(textOf(tracker['url']))) return ['native: an event tracker is no address'];
    const known = offered.some((one) => wholeOf(one['event']) === event && wholesOf(one['methods']).includes(method));
    return offered.length === 0 || known ? [] : [`native: event ${event} by method ${method} is not offered`];
  });
}
