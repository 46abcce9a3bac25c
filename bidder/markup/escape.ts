const ENTITIES: Readonly<Record<string, string>> = {
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

const OTHERS = /[<>"'`]/;
const ALL_OTHERS = /[<>"'`]/g;

/** Safe as text and in quoted attributes. */
export function escapeHtml(text: string): string {
  // Of an address it is the ampersand alone, which needs no call for each.
  const safe = text.includes('&') ? text.replaceAll('&', '&amp;') : text;
  return OTHERS.test(safe) ? safe.replace(ALL_OTHERS, (character) => ENTITIES[character] as string) : safe;
}

/** Characters that XML 1.0 does not have, not even escaped: controls, half surrogate pairs, two that are no characters. */
const NOT_IN_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

/** Safe as text and in quoted attributes of XML. */
export function escapeXml(text: string): string {
  return escapeHtml(text.replace(NOT_IN_XML, ''));
}

/** An address as text of XML, to be found by plain text search: exchanges put prices into it. */
export function cdata(text: string): string {
  return `<![CDATA[${text.replace(NOT_IN_XML, '').replaceAll(']]>', ']]]]><![CDATA[>')}]]>`;
}
