import { Type } from 'typebox';
import { checkBounds, checkCurrency, checkHours, checkPlaces, checkSources, checkWindow } from '../check-members.ts';
import { among, atHours, between, both, edgesOf, onDays, storesOf, within } from '../conditions.ts';
import type { EventKind } from '../event.ts';
import { type Lines, linesAsRead, linesOfReceipts } from '../lines.ts';
import { edgesOfAges, type Measure, planOfMeasures } from '../measures.ts';
import { ages, type BodyOf, type Bounds, bounds, Currency, counts, HourSpan, Near, names, Weekdays, Window } from '../members.ts';
import { type Money, moneyIn } from '../money.ts';
import type { Language, NodeKind } from '../node.ts';
import type { Compiler } from '../plan.ts';
import { rowsThatCount } from '../rows.ts';
import {
  ageWords,
  anyOf,
  bounded,
  clause,
  daysWords,
  type Forms,
  hourWords,
  money,
  placeWords,
  spaced,
  TIMES,
  weekdayWords,
  windowWords,
} from '../words.ts';

/** What was bought: of one line. */
const GOODS = {
  products: names('products'),
  departments: names('departments of the product'),
  categories: names('categories of the product'),
  under: names('categories with all that is below them, where a category is a path such as `Food/Dairy/Milk` or `Food > Dairy`'),
  brands: names('brands'),
};
type Goods = BodyOf<typeof GOODS>;

const FILTERS = {
  ...GOODS,
  price: bounds('micros that one unit of the line cost: its amount by its quantity'),
  currency: Currency,
  stores: names('stores where it was bought'),
  storeGroups: names('groups of stores'),
  near: Near,
  channel: Type.Unsafe<'store' | 'online'>({ type: 'string', enum: ['store', 'online'], description: 'where it was bought' }),
  weekdays: Weekdays,
  hours: HourSpan,
  sources: names('sources that told of it'),
};
type Filters = BodyOf<typeof FILTERS>;

const Basket = Type.Array(Type.Object(optional(GOODS), { additionalProperties: false, minProperties: 1 }), {
  minItems: 1,
  maxItems: 10,
});

const FIELDS = {
  count: counts('different receipts'),
  sum: bounds('micros in all'),
  mean: bounds('micros of a receipt in the mean; of nobody without a receipt'),
  smallest: bounds('micros of the smallest receipt'),
  largest: bounds('micros of the largest receipt'),
  quantity: bounds('units in all'),
  days: counts('different UTC days'),
  distinctStores: counts('different stores'),
  distinctProducts: counts('different products'),
  distinctBrands: counts('different brands'),
  first: ages('days since the first'),
  last: ages('days since the last'),
  window: Window,
  ...FILTERS,
  with: Type.Unsafe<Goods[]>({
    ...Basket,
    description: 'receipts only that contain a line of each of these, which need not be among the lines asked for',
  }),
  without: Type.Unsafe<Goods[]>({ ...Basket, description: 'receipts only that contain no line of any of these' }),
};
export type Purchases = BodyOf<typeof FIELDS>;

function optional(fields: typeof GOODS) {
  return Object.fromEntries(Object.entries(fields).map(([name, schema]) => [name, Type.Optional(schema)]));
}

/** Receipts: lines that fit all filters. A receipt's money is that of its lines that fit. */
export const purchased: EventKind<Filters> = {
  fields: FILTERS,
  rows: (filters, compiler) => linesOf(filters, moneyIn(filters.currency, compiler), compiler),
  check: (filters, pointer, check) => {
    checkPlaces(filters, pointer, check);
    checkSources(filters.sources, `${pointer}/sources`, check);
    checkHours(filters.hours, `${pointer}/hours`, check);
    checkBounds(filters.price, `${pointer}/price`, check);
    if (filters.price !== undefined || filters.currency !== undefined)
      checkCurrency(filters.currency, `${pointer}/currency`, check);
  },
  words: (filters, language) =>
    spaced(language === 'en' ? 'bought' : 'покупали', goodsWords(filters, language), otherWords(filters, language)),
};

export const purchases: NodeKind<Purchases> = {
  says: 'Receipts of the person: lines that fit all filters. A receipt’s money is that of its lines that fit.',
  fields: FIELDS,
  examples: [
    { count: { min: 3 }, window: { days: 30 } },
    { sum: { min: 20_000_000 }, departments: ['GROCERY'], window: { from: '2026-01-01', to: '2026-03-31' } },
    { mean: { min: 5_000_000 }, currency: 'USD', channel: 'store', weekdays: ['sat', 'sun'], hours: { from: 9, to: 14 } },
    { count: { min: 1 }, products: ['milk'], with: [{ brands: ['Own'] }], without: [{ under: ['Food/Sweets'] }] },
    { last: { min: 60 }, near: { stores: ['st_1'], metres: 2_000 } },
    { distinctProducts: { min: 5 }, quantity: { max: 40 }, price: { max: 3_000_000 }, first: { max: 365 } },
  ],
  check: (body, pointer, check) => {
    purchased.check(body, pointer, check);
    checkWindow(body.window, `${pointer}/window`, check);
    for (const name of MEASURES) checkBounds(body[name], `${pointer}/${name}`, check);
    const needsMoney = [body.sum, body.mean, body.smallest, body.largest].some((given) => given !== undefined);
    if (needsMoney && body.currency === undefined && body.price === undefined)
      checkCurrency(undefined, `${pointer}/currency`, check);
  },
  plan: (body, compiler) => {
    const inCurrency = moneyIn(body.currency, compiler);
    const lines = both(linesOf(body, inCurrency, compiler), within(body.window, compiler));
    const edges = [...edgesOf(body.window), ...edgesOfAges(body.first, body.last)];
    const { wanted, unwanted } = basketsOf(body, compiler);
    const all = wanted.length + unwanted.length === 0;
    const given = measuresOf(
      body,
      all ? linesAsRead(lines, inCurrency) : linesOfReceipts(lines, inCurrency, wanted, unwanted),
      compiler,
    );
    const rows = [lines, ...wanted, ...unwanted].map((condition) => `(${condition})`).join(' OR ');
    return { ...planOfMeasures(lines, given, edges), rows: all ? lines : rows };
  },
  sentence: (body, language) => {
    const { window, with: wanted, without: unwanted } = body;
    const en = language === 'en';
    const [wants, lacks] = en ? ['with', 'without'] : ['есть', 'нет'];
    const basket = (word: string, goods: Goods): string => `${word} ${goodsWords(goods, language, word === lacks)}`;
    const baskets = [
      ...(wanted ?? []).map((goods) => basket(wants, goods)),
      ...(unwanted ?? []).map((goods) => basket(lacks, goods)),
    ];
    const measures = [
      baskets.length === 0 ? '' : `${en ? 'in receipts' : 'в чеках, где'} ${baskets.join(en ? ' and ' : ' и ')}`,
      daysWords(body.days, language),
      ...COUNTED.flatMap(([name, forms]) => (body[name] === undefined ? [] : [bounded(body[name], forms, language)])),
      ...MONEY_WORDS.flatMap(([name, words]) =>
        body[name] === undefined ? [] : [`${words[language]} ${money(body[name], body.currency, language)}`],
      ),
      ageWords('first', body.first, language),
      ageWords('last', body.last, language),
    ];
    const often = body.count === undefined ? '' : bounded(body.count, TIMES, language);
    return clause(purchased.words(body, language), often, measures, windowWords(window, language));
  },
};

const MEASURES = [
  'count',
  'sum',
  'mean',
  'smallest',
  'largest',
  'quantity',
  'days',
  'distinctStores',
  'distinctProducts',
  'distinctBrands',
  'first',
  'last',
] as const;

function linesOf(filters: Filters, { amount, known }: Money, compiler: Compiler): string {
  const { bound } = compiler;
  const stores = storesOf(filters, compiler);
  return both(
    "kind = 'purchase'",
    goodsOf(filters, compiler),
    filters.price === undefined
      ? ''
      : `${known} AND ${between(`(${amount} / if(quantity > 0, quantity, 1))`, filters.price, bound)}`,
    stores === null ? '' : among('place', stores, bound),
    filters.channel === undefined ? '' : `channel = ${bound.add('String', filters.channel)}`,
    onDays(filters.weekdays, bound),
    atHours(filters.hours, bound),
    among('source', filters.sources, bound),
    rowsThatCount(compiler),
  );
}

function goodsOf(goods: Goods, { bound }: Compiler): string {
  const under = goods.under === undefined ? '' : bound.texts(goods.under);
  return [
    among('product', goods.products, bound),
    among('department', goods.departments, bound),
    among('category', goods.categories, bound),
    under === ''
      ? ''
      : `arrayExists(path -> category = path OR startsWith(category, concat(path, '/')) OR startsWith(category, concat(path, ' > ')), ${under})`,
    among('brand', goods.brands, bound),
  ]
    .filter((condition) => condition !== '')
    .join(' AND ');
}

/** Conditions of the lines that a receipt must have, and of those that it must not have. */
function basketsOf({ with: wanted, without: unwanted }: Purchases, compiler: Compiler) {
  const conditionOf = (goods: Goods): string => both("kind = 'purchase'", goodsOf(goods, compiler), rowsThatCount(compiler));
  return { wanted: (wanted ?? []).map(conditionOf), unwanted: (unwanted ?? []).map(conditionOf) };
}

function measuresOf(body: Purchases, lines: Lines, compiler: Compiler): Measure[] {
  const { bound, scope } = compiler;
  const given = (bounds: Bounds | undefined, of: (bounds: Bounds) => Measure): Measure[] =>
    bounds === undefined ? [] : [of(bounds)];
  const measures = [
    ...given(body.count, (count) => lines.different('once', count, bound)),
    ...given(body.sum, (sum) => lines.sum('amount', 1, sum, bound)),
    ...given(body.mean, (mean) => lines.ofReceipts((totals) => `arrayAvg(${totals})`, mean, bound)),
    ...given(body.smallest, (smallest) => lines.ofReceipts((totals) => `arrayMin(${totals})`, smallest, bound)),
    ...given(body.largest, (largest) => lines.ofReceipts((totals) => `arrayMax(${totals})`, largest, bound)),
    ...given(body.quantity, (quantity) => lines.sum('thousandths', 1000, quantity, bound)),
    ...given(body.days, (days) => lines.different('day', days, bound)),
    ...given(body.distinctStores, (stores) => lines.different('place', stores, bound)),
    ...given(body.distinctProducts, (products) => lines.different('product', products, bound)),
    ...given(body.distinctBrands, (brands) => lines.different('brand', brands, bound)),
    ...given(body.first, (first) => lines.age('min', first, scope.now, bound)),
    ...given(body.last, (last) => lines.age('max', last, scope.now, bound)),
  ];
  return measures.length === 0 ? [lines.different('once', { min: 1 }, bound)] : measures;
}

const COUNTED: readonly (readonly ['quantity' | 'distinctStores' | 'distinctProducts' | 'distinctBrands', Forms])[] = [
  ['quantity', { en: ['unit in all', 'units in all'], ru: ['штука всего', 'штуки всего', 'штук всего'] }],
  [
    'distinctStores',
    { en: ['store', 'different stores'], ru: ['магазин', 'разных магазина', 'разных магазинов', 'разного магазина'] },
  ],
  [
    'distinctProducts',
    { en: ['product', 'different products'], ru: ['товар', 'разных товара', 'разных товаров', 'разного товара'] },
  ],
  ['distinctBrands', { en: ['brand', 'different brands'], ru: ['марка', 'разных марки', 'разных марок', 'разной марки'] }],
];

const MONEY_WORDS: readonly (readonly ['sum' | 'mean' | 'smallest' | 'largest', Readonly<Record<Language, string>>])[] = [
  ['sum', { en: 'for', ru: 'на сумму' }],
  ['mean', { en: 'with a mean receipt of', ru: 'со средним чеком' }],
  ['smallest', { en: 'with the smallest receipt of', ru: 'с наименьшим чеком' }],
  ['largest', { en: 'with the largest receipt of', ru: 'с наибольшим чеком' }],
];

/** "milk or beer of brand Own": any goods where nothing is said. */
function goodsWords({ products, departments, categories, under, brands }: Goods, language: Language, isLacking = false): string {
  const en = language === 'en';
  const part = (values: readonly string[] | undefined, word: string): string =>
    values === undefined ? '' : spaced(word, anyOf(values, language));
  const kinds = spaced(
    part(brands, en ? 'of brand' : 'марки'),
    part(categories, en ? 'of category' : 'категории'),
    part(under, en ? 'from section' : 'из раздела'),
    part(departments, en ? 'of department' : 'отдела'),
  );
  if (products !== undefined) return spaced(anyOf(products, language), kinds);
  const any = isLacking ? (en ? 'anything' : 'ничего') : en ? 'something' : 'что-либо';
  return kinds === '' ? '' : spaced(any, kinds);
}

function otherWords(filters: Filters, language: Language): string {
  const en = language === 'en';
  const { channel, price, sources } = filters;
  return spaced(
    price === undefined ? '' : `${en ? 'at a price of' : 'по цене'} ${money(price, filters.currency, language)}`,
    channel === undefined ? '' : channel === 'online' ? (en ? 'online' : 'через интернет') : en ? 'in stores' : 'в магазинах',
    placeWords(filters, language),
    weekdayWords(filters.weekdays, language),
    hourWords(filters.hours, language),
    sources === undefined ? '' : `(${en ? 'says' : 'по данным'} ${anyOf(sources, language)})`,
  );
}
