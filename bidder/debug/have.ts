import type { Question } from '../core/question.ts';
import { browserIn } from '../openrtb/browser.ts';

/** What a request brings for a part of the targeting, in short. */
export function haveOf(part: string, { request, exchange, person, now }: Question): unknown {
  const { device, inventory } = request;
  switch (part) {
    case 'exchanges':
      return exchange.id;
    case 'inventory':
      return inventory.kind;
    case 'lists': {
      const { id, domain, bundle, publisher } = inventory;
      return { domain, bundle, [inventory.kind === 'app' ? 'app' : 'site']: id, publisher };
    }
    case 'content':
      return { categories: inventory.categories, language: inventory.contentLanguage };
    case 'geo': {
      const { country, region, city, zip } = device;
      return { country, region, city, zip };
    }
    case 'deviceTypes':
      return device.type;
    case 'os':
      return device.os;
    case 'osVersions':
      return device.osv;
    case 'makes':
      return device.make;
    case 'models':
      return device.model;
    case 'browsers':
      return browserIn(device);
    case 'carriers':
      return { carrier: device.carrier, mccmnc: device.mccmnc };
    case 'connectionTypes':
      return device.connectionType;
    case 'languages':
      return device.language;
    case 'dayparts':
      return { at: new Date(now).toISOString(), utcoffset: device.utcoffset };
    case 'flight':
      return new Date(now).toISOString();
    case 'supply':
      return request.schain;
    case 'userData':
      return request.userData;
    case 'eids':
      return request.eids.map(({ source }) => source);
    case 'person':
      return person.state;
    case 'geofences': {
      const { location } = device;
      return location === null ? null : { ...location };
    }
    default:
      return null;
  }
}
