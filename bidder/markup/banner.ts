import type { Banner } from '../core/line-item.ts';
import { fillMacros, type MacroValues } from '../core/texts.ts';
import type { NoticeAddresses } from '../notices/address.ts';
import { escapeHtml } from './escape.ts';

/** The creative's HTML, and the impression pixel behind it. */
export function bannerMarkup(creative: Banner, values: MacroValues, click: string, { impression }: NoticeAddresses): string {
  const html = fillMacros(creative.html, { ...values, CLICK_URL: click }, escapeHtml);
  // `&` before a name and `=` is not ambiguous in HTML, so the address stands as it is and is found by plain text search too.
  return `${html}<img src="${impression}" width="1" height="1" alt="" style="position:absolute">`;
}
