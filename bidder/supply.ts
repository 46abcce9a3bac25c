import type { NoBidReason } from '../proto/no-bid.ts';
import type { LiveExchange, LiveSupply } from '../proto/snapshot.ts';
import type { BidRequest, Inventory, Schain } from './openrtb/request.ts';

type SupplyRule = LiveExchange['supply'];
type Node = Schain['nodes'][number];

/** Who may sell for whom, by what has been imported. */
export interface SupplyLists {
  /** By domain of the site or app: `<asi>/<account>` of its ads.txt. */
  readonly adsTxt: { readonly size: number; get(domain: string): Listed | undefined };
  /** By domain of a seller system: what its sellers.json says of each seller id. */
  readonly sellers: { get(domain: string): { get(seller: string): SellerType | undefined } | undefined };
}

/** `<asi>/<account>` that an ads.txt lists. */
interface Listed {
  has(entry: string): boolean;
}

/** No real chain is so long, and each node costs time for each line item with a rule. */
const LONGEST_CHAIN = 50;

/** Publisher, intermediary, both. */
export type SellerType = 'P' | 'I' | 'B';

export function compileSupply(live: LiveSupply | undefined): SupplyLists {
  const adsTxt = Object.entries(live?.adsTxt ?? {}).map(([domain, text]) => [domain, new Set(linesOf(text))] as const);
  const sellers = Object.entries(live?.sellers ?? {}).map(([domain, text]) => [domain, sellersOf(text)] as const);
  return { adsTxt: new Map(adsTxt), sellers: new Map(sellers) };
}

function sellersOf(text: string): Map<string, SellerType> {
  return new Map(linesOf(text).map((line) => [line.slice(1), line.charAt(0) as SellerType]));
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.split('\n');
}

/**
 * Whether the way from the seller to us is one that the rule allows (OpenRTB SupplyChain, ads.txt 1.1, sellers.json 1.0). Null to
 * pass, or why not. A rule asks of every node of the chain: what cannot be verified does not pass.
 */
export function screenSupply(
  rule: SupplyRule,
  { schain, inventory }: Pick<BidRequest, 'schain' | 'inventory'>,
  lists: SupplyLists,
): NoBidReason | null {
  const nodes = schain?.nodes ?? [];
  if (rule.completeOnly && !(schain?.complete && nodes.length > 0)) return 'incomplete_chain';
  if (nodes.length > Math.min(rule.maxHops ?? LONGEST_CHAIN, LONGEST_CHAIN) && restricts(rule)) return 'blocked_node';
  if (rule.sellers !== null) {
    if (nodes.length === 0) return 'incomplete_chain';
    for (const node of nodes) if (!isAllowed(rule.sellers, node)) return 'blocked_node';
  }
  return rule.authorizedOnly ? screenAuthorized(nodes, inventory, lists) : null;
}

function restricts({ maxHops, sellers, authorizedOnly }: SupplyRule): boolean {
  return maxHops !== null || sellers !== null || authorizedOnly === true;
}

/** `asi` allows all sellers of a system, `asi/sid` one. */
function isAllowed(allowed: readonly string[], { asi, sid }: Node): boolean {
  const system = asi.toLowerCase();
  return allowed.includes(system) || allowed.includes(`${system}/${sid}`);
}

function screenAuthorized(nodes: readonly Node[], inventory: Inventory, lists: SupplyLists): NoBidReason | null {
  for (const [at, node] of nodes.entries()) {
    const sellers = lists.sellers.get(node.asi.toLowerCase());
    const type = sellers?.get(node.sid);
    if (sellers !== undefined && type === undefined) return 'blocked_node';
    // A chain that begins with somebody who only resells is not the whole chain.
    if (at === 0 && type === 'I') return 'incomplete_chain';
  }
  const listed = adsTxtOf(inventory, lists);
  if (listed === null) return null;
  const [first] = nodes;
  const last = nodes.at(-1);
  if (first === undefined || last === undefined) return 'ads_txt_unavailable';
  return isListed(listed, first) && isListed(listed, last) ? null : 'ads_txt_violated';
}

function isListed(listed: Listed, { asi, sid }: Node): boolean {
  return listed.has(`${asi.toLowerCase()}/${sid}`);
}

/** That of the domain, else of the domains above it; of an app that of its developer's domain or of its bundle. */
function adsTxtOf({ domain, bundle }: Inventory, { adsTxt }: SupplyLists): Listed | null {
  if (adsTxt.size === 0) return null;
  for (let name = domain.toLowerCase(); name.includes('.'); name = name.slice(name.indexOf('.') + 1)) {
    const listed = adsTxt.get(name);
    if (listed !== undefined) return listed;
  }
  return adsTxt.get(bundle.toLowerCase()) ?? null;
}
