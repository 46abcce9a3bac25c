import { isValidCell } from 'h3-js';
import { describe, expect, it } from 'vitest';
import { decodeRequest } from '../../../bidder/openrtb/decode.ts';
import { moveCover } from '../../../load-tests/bench/fences.ts';
import { ifaOf, keyOf, profileOf } from '../../../load-tests/bench/people.ts';
import { drawTraffic, templateIn } from '../../../load-tests/bench/requests.ts';
import { drawSnapshot } from '../../../load-tests/bench/world.ts';
import { coverOf } from '../../../proto/fence.ts';
import { normalizeIdentifier } from '../../../proto/identifier.ts';
import { splitSnapshot } from '../../../proto/snapshot-parts.ts';

const SIZE = { lineItems: 40, fences: 40 };

describe('the world of the benches', () => {
  it('is the same for the same seed, and another for another', () => {
    const [first, again, other] = [1, 1, 2].map((seed) => splitSnapshot(drawSnapshot(seed, SIZE)));
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  it('binds half of the line items to fences, every fence to some, and refers to nothing that is not there', () => {
    const { lineItems, geofences, stores } = drawSnapshot(1, SIZE);
    const fenced = lineItems.filter(({ targeting }) => targeting.geofences !== null);
    expect(fenced.length).toBe(lineItems.length / 2);
    const known = new Set([...geofences, ...stores].map(({ id }) => id));
    for (const { targeting } of lineItems)
      for (const id of [...(targeting.geofences ?? []), ...targeting.promotedStores]) expect(known).toContain(id);
  });

  it('moves a cover to another place as a whole', () => {
    const cover = coverOf({ type: 'circle', lat: 55.79, lon: 49.12, radius: 300 });
    const moved = moveCover(cover, 16);
    expect([moved.inner.length, moved.boundary.length]).toEqual([cover.inner.length, cover.boundary.length]);
    for (const cell of [...moved.inner, ...moved.boundary]) expect(isValidCell(cell), cell).toBe(true);
    expect(new Set([...moved.inner, ...cover.inner]).size).toBe(2 * cover.inner.length);
  });

  it('has people with 20 segments in the mean, whose advertising ids are taken as such', () => {
    let segments = 0;
    for (let person = 0; person < 2_000; person++) {
      expect(normalizeIdentifier('ifa', ifaOf(1, person))).toBe(ifaOf(1, person));
      segments += profileOf(1, person, keyOf(1, person, 'a pepper of the tests'), 0).memberships.length;
    }
    expect(segments / 2_000).toBeGreaterThan(19);
    expect(segments / 2_000).toBeLessThan(21);
    expect(new Set(Array.from({ length: 2_000 }, (_, person) => ifaOf(1, person))).size).toBe(2_000);
  });

  it('sends requests that can be read, each with another id and person', () => {
    const corpus = [{ id: 'given', imp: [{ id: '1', banner: { w: 320, h: 50 } }], device: { ifa: 'ab12' } }];
    const traffic = drawTraffic({ seed: 1, fences: 40, profiles: 1_000, corpus, templates: 50 });
    expect(traffic.fromCorpus).toBeGreaterThan(0);
    const ids = new Set<string>();
    for (let call = 0; call < 200; call++) {
      const { bodyAt } = traffic.templates[traffic.templateOf(call)] as { bodyAt: number };
      const request = decodeRequest(traffic.message(call).subarray(bodyAt));
      if (typeof request === 'string') throw new Error(request);
      expect(templateIn(request.id)).toBe(call % 50);
      expect(request.device.ifa).toBe(ifaOf(1, traffic.personOf(call)));
      ids.add(request.id);
    }
    expect(ids.size).toBe(200);
  });
});
