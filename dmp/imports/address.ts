import { lookup } from 'node:dns/promises';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { Problem } from '../problem.ts';

/** Networks that are not the world's: an address given for an import must not open what only this machine can reach. */
const INSIDE = new BlockList();
for (const [network, bits] of [
  ...([
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
  ] as const),
  ...([
    ['192.0.0.0', 24],
    ['192.0.2.0', 24],
    ['192.168.0.0', 16],
    ['198.18.0.0', 15],
    ['198.51.100.0', 24],
  ] as const),
  ...([
    ['203.0.113.0', 24],
    ['224.0.0.0', 4],
    ['240.0.0.0', 4],
  ] as const),
])
  INSIDE.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [
  // What carries an address of the old kind inside is refused whole: 64:ff9b (NAT64), 2002 (6to4), 2001 (Teredo).
  ...([
    ['::', 96],
    ['64:ff9b::', 96],
    ['64:ff9b:1::', 48],
    ['100::', 64],
    ['2001::', 32],
    ['2001:db8::', 32],
  ] as const),
  ...([
    ['2002::', 16],
    ['fc00::', 7],
    ['fe80::', 10],
    ['fec0::', 10],
    ['ff00::', 8],
  ] as const),
])
  INSIDE.addSubnet(network, bits, 'ipv6');

/** Whether an IP address is of this machine, its network or nobody. */
export function isInside(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return isInside(mapped);
  const family = isIP(address);
  if (family === 0) return true;
  if (family === 6 && /^::ffff:/i.test(address)) return true;
  return INSIDE.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

export function refused(detail: string): Problem {
  return new Problem(422, 'address_refused', 'The address is refused', {
    detail,
    errors: [{ pointer: '/address/url', code: 'address_refused', message: detail }],
  });
}

/** An address that may be asked: http or https, without a password, and no number that points inside. Throws a 422 problem. */
export function readAddress(text: string, allowInside: boolean): URL {
  if (!URL.canParse(text)) throw refused('is not a URL');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refused('is neither https nor http nor s3');
  if (url.username !== '' || url.password !== '') throw refused('holds a user or password');
  const host = url.hostname.replace(/^\[|\]$|\.$/g, '');
  if (!allowInside && (isIP(host) !== 0 ? isInside(host) : host === 'localhost' || host.endsWith('.localhost')))
    throw refused(`${host} points inside`);
  return url;
}

/**
 * Names are looked up once, when the connection is made, and none of their addresses may point inside: a name that is looked up
 * twice may answer otherwise the second time.
 */
export function guardedLookup(allowInside: boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, {
      all: true,
      family: options.family === 'IPv4' ? 4 : options.family === 'IPv6' ? 6 : (options.family ?? 0),
    }).then(
      (found) => {
        const inside = allowInside ? undefined : found.find(({ address }) => isInside(address));
        const [first] = found;
        if (inside !== undefined || first === undefined) callback(refused(`${hostname} points inside`), '', 0);
        else if (options.all === true) callback(null, found);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    );
  };
}
