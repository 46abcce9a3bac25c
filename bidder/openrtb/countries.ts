export { countryOf } from '../../proto/country.ts';
