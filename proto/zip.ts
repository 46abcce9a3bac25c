/** A postal code as it is compared: in upper case, without spaces and hyphens. Senders write "sw1a 1aa" and "SW1A1AA", "00-950" and "00950". */
export function zipKey(text: string): string {
  return text.replace(BETWEEN, '').toUpperCase();
}

const BETWEEN = /[\s-]+/g;
