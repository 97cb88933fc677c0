/** The heatmap's pixels: many cells may share one, and the most extreme must win. */

import { NOT_RECORDED, OUTSIDE, moreExtreme } from '../data/codes';
import type { Heatmap } from '../data/codes';
import type { StepAxis } from '../data/axis';

/**
 * For each of `count` pixels the half-open range of cells it shows, from sorted cell edges: the
 * cells with their middle in the pixel, else the one under the pixel's middle. So a cell thinner
 * than a pixel is never lost, and a wide one never runs over its edge.
 */
export function cellsOfPixels(edges: readonly number[], count: number): [number, number][] {
  const first = edges[0] as number;
  const span = (edges.at(-1) as number) - first;
  const cells = edges.length - 1;
  const middle = (cell: number): number =>
    ((edges[cell] as number) + (edges[cell + 1] as number)) / 2;
  const out: [number, number][] = [];
  let under = 0;
  let next = 0;
  for (let pixel = 0; pixel < count; pixel++) {
    const centre = first + ((pixel + 0.5) / count) * span;
    const end = first + ((pixel + 1) / count) * span;
    while (under < cells - 1 && (edges[under + 1] as number) <= centre) under++;
    const from = next;
    while (next < cells && middle(next) < end) next++;
    out.push(from < next ? [from, next] : [under, under + 1]);
  }
  return out;
}

/**
 * The columns in sight and their edges, 0 to 1: each reaches half-way to its neighbours, the
 * outer ones as far beyond their step. What they leave free at the ends is a column -1 or n.
 */
export function visibleColumns(
  steps: readonly number[],
  axis: StepAxis,
): { first: number; edges: number[] } {
  const n = steps.length;
  const middle = (i: number): number => ((steps[i - 1] as number) + (steps[i] as number)) / 2;
  const [start, end] = [steps[0] as number, steps[n - 1] as number];
  const all = [
    n > 1 ? 2 * start - middle(1) : axis.min,
    ...Array.from({ length: n - 1 }, (_, i) => middle(i + 1)),
    n > 1 ? 2 * end - middle(n - 1) : axis.max,
  ].map((step) => Math.max(0, Math.min(1, axis.at(step))));
  let first = 0;
  let last = n;
  while (first < n - 1 && (all[first + 1] as number) <= 0) first++;
  while (last > first + 1 && (all[last - 1] as number) >= 1) last--;
  const edges = all.slice(first, last + 1);
  if ((edges.at(-1) as number) < 1) edges.push(1);
  if ((edges[0] as number) > 0) {
    edges.unshift(0);
    first--;
  }
  return { first, edges };
}

/** Codes of a picture `width` x `height` pixels, row-major. */
export function rasterize(
  { steps, layers, codes }: Pick<Heatmap, 'steps' | 'layers' | 'codes'>,
  axis: StepAxis,
  width: number,
  height: number,
): Uint8Array {
  const out = new Uint8Array(width * height);
  if (steps.length === 0 || layers.length === 0) return out;
  const { first, edges } = visibleColumns(steps, axis);
  const columns = cellsOfPixels(edges, width);
  const narrow = new Uint8Array(layers.length * width);
  for (let row = 0; row < layers.length; row++) {
    const codeAt = (column: number): number =>
      column < 0 || column >= steps.length
        ? OUTSIDE
        : (codes[row * steps.length + column] ?? NOT_RECORDED);
    for (let x = 0; x < width; x++) {
      const [from, to] = columns[x] as [number, number];
      let code = codeAt(first + from);
      for (let i = from + 1; i < to; i++) code = moreExtreme(code, codeAt(first + i));
      narrow[row * width + x] = code;
    }
  }
  const rowEdges = Array.from({ length: layers.length + 1 }, (_, i) => i);
  cellsOfPixels(rowEdges, height).forEach(([from, to], y) => {
    for (let x = 0; x < width; x++) {
      let code = narrow[from * width + x] as number;
      for (let row = from + 1; row < to; row++) {
        code = moreExtreme(code, narrow[row * width + x] as number);
      }
      out[y * width + x] = code;
    }
  });
  return out;
}
