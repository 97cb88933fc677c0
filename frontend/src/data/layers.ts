/** Names of many layers in few words. */

import { plural } from './format';

const MAX_SEGMENTS = 3;
const MAX_LETTERS = 40;

/** Consecutive stretches of `layers` in the forward order `order`. */
export function stretches(layers: readonly string[], order: readonly string[]): string[][] {
  const position = new Map(order.map((path, i) => [path, i]));
  const sorted = layers.toSorted((a, b) => (position.get(a) ?? -1) - (position.get(b) ?? -1));
  const out: string[][] = [];
  let previous = NaN;
  for (const path of sorted) {
    const here = position.get(path) ?? NaN;
    const last = out.at(-1);
    if (last && here === previous + 1) last.push(path);
    else out.push([path]);
    previous = here;
  }
  return out;
}

/** The end of a long path, which tells layers apart better than its start. */
function shorten(path: string): string {
  return fitTail(path, MAX_LETTERS, (text) => text.length);
}

/** "dense_0 … dense_4 (5 layers)": stretches of the forward order, the first few spelt out. */
export function summarizeLayers(layers: readonly string[], order: readonly string[]): string {
  if (layers.length === 0) return 'the whole run';
  const segments = stretches(layers, order).map((stretch) => {
    const first = shorten(stretch[0] as string);
    const last = shorten(stretch.at(-1) as string);
    if (stretch.length === 1) return first;
    return stretch.length === 2 ? `${first}, ${last}` : `${first} … ${last}`;
  });
  const shown = segments.slice(0, MAX_SEGMENTS).join(', ');
  const more = segments.length > MAX_SEGMENTS ? ', …' : '';
  return layers.length === 1 ? shown : `${shown}${more} (${plural(layers.length, 'layer')})`;
}

/** Longest tail of `path` that fits: the end of a path tells layers apart, its start does not. */
export function fitTail(path: string, width: number, measure: (text: string) => number): string {
  if (measure(path) <= width) return path;
  let low = 0;
  let high = path.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (measure(`…${path.slice(middle)}`) <= width) high = middle;
    else low = middle + 1;
  }
  return `…${path.slice(low)}`;
}
