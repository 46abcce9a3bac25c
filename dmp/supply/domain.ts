const DOMAIN = /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9][a-z0-9-]{0,62}$/;

/** Whether the text, in lower case, is a domain name or the bundle of an app, which looks like one but may have underscores. */
export function isDomainOrBundle(text: string): boolean {
  return DOMAIN.test(text);
}
