/** IPv4 networks that are nobody's address on the internet, or of a carrier's many subscribers: [address, bits]. */
const NOT_PUBLIC: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const IPV6 = /^[0-9a-f:.]+$/i;

const RANGES = NOT_PUBLIC.map(([address, bits]) => {
  const size = 2 ** (32 - bits);
  const from = numberOf(address);
  return { from, to: from + size };
});

/**
 * The network by which a household is known from outside: an IPv4 address, or the /64 of an IPv6 address. Null where the address
 * is private, a carrier's (100.64.0.0/10), or none at all.
 */
export function networkOf(value: string): string | null {
  if (IPV4.test(value)) {
    const number = numberOf(value);
    return RANGES.some(({ from, to }) => number >= from && number < to) ? null : value;
  }
  const address = IPV6.test(value) && value.includes(':') ? readIPv6(value) : null;
  if (address === null) return null;
  const groups = groupsOf(address);
  // As a server that listens on both writes an address of the old kind.
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return networkOf(
      groups
        .slice(6)
        .flatMap((group) => [group >>> 8, group & 0xff])
        .join('.'),
    );
  // Global unicast is 2000::/3.
  if (((groups[0] as number) & 0xe000) !== 0x2000) return null;
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/** As the URL standard writes it, shortened; null where it is none. */
function readIPv6(value: string): string | null {
  const url = `http://[${value}]/`;
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : null;
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

/** The eight groups of an IPv6 address that is known to be one. */
function groupsOf(value: string): number[] {
  const [head = '', tail] = value.split('::');
  const first = partsOf(head);
  const last = tail === undefined ? [] : partsOf(tail);
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
}

function partsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [Number.parseInt(part, 16)];
    const number = numberOf(part);
    return [number >>> 16, number & 0xffff];
  });
}
