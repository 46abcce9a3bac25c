/**
 * Where a click leads: the landing address as a browser writes it (a header holds ASCII only), or null where it is not http(s)
 * on one of the advertiser's domains. Its signature says that we made it; this says that it is still the advertiser's. `domains`
 * null: nothing of the advertiser is live any more, so that the signature alone speaks: people still hold ads of yesterday. Pure.
 */
export function landingOf(address: string, domains: readonly string[] | null): string | null {
  if (!URL.canParse(address)) return null;
  const { protocol, hostname, href, username, password } = new URL(address);
  if ((protocol !== 'https:' && protocol !== 'http:') || username !== '' || password !== '') return null;
  const isDeclared = domains === null || domains.some((domain) => hostname === domain || hostname.endsWith(`.${domain}`));
  return isDeclared ? href : null;
}
