import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import type { Ports } from './config.ts';
import { demoRequest } from './demo.ts';

export interface WelcomeFacts {
  readonly data: string;
  readonly ports: Ports;
  readonly adminKey: string;
}

/** What the reader needs once all is up. */
export function welcome({ data, ports, adminKey }: WelcomeFacts): string {
  const url = (port: number): string => `http://127.0.0.1:${port}`;
  const request = demoRequest(data);
  const near = relative(process.cwd(), request);
  const shown = near.startsWith('..') ? request : near;
  const bid = `curl -s -H 'content-type: application/json' -d @${shown} ${url(ports.bidder)}/openrtb2/city`;
  return [
    '',
    'Walkin is running.',
    `  bidder      ${url(ports.bidder)}/openrtb2/<exchange>`,
    `  admin API   ${url(ports.api)}/v1   (documentation: ${url(ports.api)}/docs)`,
    `  pages       ${url(ports.pages)}/v1/memberships:lookup`,
    `  metrics     ${url(ports.bidderMetrics)}/metrics, ${url(ports.apiMetrics)}/metrics and ${url(ports.pagesMetrics)}/metrics`,
    `  data        ${data}`,
    `  admin key   ${adminKey}`,
    ...(existsSync(request) ? ['', 'A real bid:', `  ${bid}`] : []),
    '',
    'Ctrl-C stops it; the next `npm start` finds its data again.',
    '',
  ].join('\n');
}
