/** The heatmap's pixels: many cells may share one, and the most extreme must win. */

import { NOT_RECORDED, moreExtreme } from '../data/codes';
import type { Heatmap } from '../data/codes';
import { columnEdges } from '../data/steps';
import type { StepDomain } from '../data/steps';

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

/** Codes of a picture `width` x `height` pixels, row-major. */
export function rasterize(
  { steps, layers, codes }: Pick<Heatmap, 'steps' | 'layers' | 'codes'>,
  domain: StepDomain,
  width: number,
  height: number,
): Uint8Array {
  const out = new Uint8Array(width * height);
  if (steps.length === 0 || layers.length === 0) return out;
  const columns = cellsOfPixels(columnEdges(steps, domain), width);
  const narrow = new Uint8Array(layers.length * width);
  for (let row = 0; row < layers.length; row++) {
    for (let x = 0; x < width; x++) {
      const [from, to] = columns[x] as [number, number];
      let code = codes[row * steps.length + from] ?? NOT_RECORDED;
      for (let i = from + 1; i < to; i++) {
        code = moreExtreme(code, codes[row * steps.length + i] ?? NOT_RECORDED);
      }
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
