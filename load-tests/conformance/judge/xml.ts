/** As much XML as VAST needs: elements, attributes, text and CDATA. Throws an Error where the text is not well-formed. */

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** Its own text, CDATA included, trimmed. */
  readonly text: string;
}

interface Open {
  name: string;
  attributes: Record<string, string>;
  children: XmlElement[];
  text: string;
}

const TOKEN =
  /<!\[CDATA\[([\s\S]*?)\]\]>|<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<(\/?)([A-Za-z_][\w:.-]*)((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/y;

export function parseXml(xml: string): XmlElement {
  const top: Open = { name: '', attributes: {}, children: [], text: '' };
  const open: Open[] = [top];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < xml.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(xml);
    if (match === null) throw new Error(`no XML at "${xml.slice(at, at + 30)}"`);
    take(match, open);
  }
  if (open.length > 1) throw new Error(`<${open.at(-1)?.name}> is not closed`);
  const [root, second] = top.children;
  if (root === undefined || second !== undefined || top.text.trim() !== '') throw new Error('not exactly one root element');
  return root;
}

function take([, cdata, slash, name, attributes, empty, text]: RegExpExecArray, open: Open[]): void {
  const current = open.at(-1) as Open;
  if (cdata !== undefined) current.text += cdata;
  else if (text !== undefined) current.text += unescaped(text);
  else if (name === undefined) return;
  else if (slash === '/') close(name, open);
  else {
    open.push({ name, attributes: attributesOf(attributes ?? ''), children: [], text: '' });
    if (empty === '/') close(name, open);
  }
}

function close(name: string, open: Open[]): void {
  const element = open.pop();
  const parent = open.at(-1);
  if (element === undefined || parent === undefined || element.name !== name) throw new Error(`</${name}> closes nothing`);
  parent.children.push({ ...element, text: element.text.trim() });
}

function attributesOf(text: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name = '', double, single] of text.matchAll(/([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) {
    if (Object.hasOwn(attributes, name)) throw new Error(`attribute ${name} twice`);
    attributes[name] = unescaped(double ?? single ?? '');
  }
  return attributes;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function unescaped(text: string): string {
  return text.replace(/&(#x[\da-f]+|#\d+|\w+)?;?/gi, (entity, name: string | undefined) => {
    if (name?.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16));
    if (name?.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)));
    const character = ENTITIES[name ?? ''];
    if (character === undefined || !entity.endsWith(';')) throw new Error(`"${entity}" is no entity`);
    return character;
  });
}

/** All elements of the name, however deep. */
export function elementsOf(element: XmlElement, name: string): XmlElement[] {
  return element.children.flatMap((child) => [...(child.name === name ? [child] : []), ...elementsOf(child, name)]);
}
