import { StartError } from './start-error.ts';

interface Tenant {
  readonly advertiser: string;
  /** The newest first. */
  readonly generations: readonly number[];
}

export const TENANT_ACTS = ['status', 'rotate', 'retire', 'honour'] as const;
export type TenantAct = (typeof TENANT_ACTS)[number];

/** Replaces an advertiser's pepper, or tells of it, by the API of the installation that runs: it acts at once. */
export async function tenantPepper(api: string, key: string, advertiser: string, act: TenantAct): Promise<string> {
  const call = async <T>(path: string, body?: object): Promise<T> => {
    const response = await fetch(`${api}${path}`, {
      headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    }).catch(() => {
      throw new StartError(`nobody answers at ${api}: Walkin must run, say where with --api`);
    });
    const answer = (await response.json()) as T & { title?: string; detail?: string };
    if (!response.ok) throw new StartError([answer.title, answer.detail].filter(Boolean).join(': ') || `${response.status}`);
    return answer;
  };
  const { tenants } = await call<{ tenants: Tenant[] }>('/v1/peppers');
  const found = tenants.find((tenant) => tenant.advertiser === advertiser);
  if (found === undefined) throw new StartError(`there is no advertiser ${advertiser}`);
  if (act === 'status') return told(found);
  return told(await call<Tenant>(`/v1/peppers/${encodeURIComponent(advertiser)}/${act}`, { generation: meant(act, found) }));
}

/** Which generation is meant by an act that names none. */
function meant(act: TenantAct, { generations }: Tenant): number {
  const oldest = generations.at(-1) ?? 0;
  if (act === 'rotate') return (generations[0] ?? 0) + 1;
  return act === 'retire' ? oldest : Math.max(0, oldest - 1);
}

function told({ advertiser, generations }: Tenant): string {
  const names = generations.map((generation) => (generation === 0 ? '0 (the installation’s)' : String(generation)));
  return `${advertiser}: honoured, the newest first, ${names.join(', ')}`;
}
