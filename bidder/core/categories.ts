/** Content Taxonomy 1.0 of the IAB, in which a category stands by itself; of another one its number goes before: `7:1029`. */
export const CONTENT_1 = 1;

/** Those of a taxonomy (List: Category Taxonomies), as the taxonomy writes them. */
export function categoriesIn(categories: readonly string[], taxonomy: number): readonly string[] {
  if (taxonomy === CONTENT_1 && !categories.some((category) => category.includes(':'))) return categories;
  const own: string[] = [];
  for (const category of categories) {
    const colon = category.indexOf(':');
    if (colon < 0 ? taxonomy === CONTENT_1 : category.slice(0, colon) === String(taxonomy)) own.push(category.slice(colon + 1));
  }
  return own;
}
