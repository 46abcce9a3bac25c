import type { FastifyInstance } from 'fastify';
import { Problem } from '../problem.ts';

/** 404 for an address that does not exist, 405 with Allow for one that does, with other methods. Call before any route. */
export function useUnknownRoute(app: FastifyInstance): void {
  const routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ pattern: patternOf(url), methods: [method].flat() });
  });
  app.setNotFoundHandler((request) => {
    const path = request.url.split('?', 1)[0] as string;
    const methods = routes.flatMap((route) => (route.pattern.test(path) ? route.methods : []));
    if (methods.length === 0) throw new Problem(404, 'not_found', 'There is no such address');
    const allow = [...new Set(methods)].sort().join(', ');
    throw new Problem(405, 'method_not_allowed', `The address does not take ${request.method}`, { headers: { allow } });
  });
}

/** Fastify's path syntax: `:name` a segment, `::` a colon, `*` anything. */
function patternOf(url: string): RegExp {
  const source = url
    .split(/(::|:[A-Za-z]+|\*)/)
    .map((part) => {
      if (part === '::') return ':';
      if (part === '*') return '.*';
      return part.startsWith(':') && part.length > 1 ? '[^/]+' : part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&');
    })
    .join('');
  return new RegExp(`^${source}$`);
}
