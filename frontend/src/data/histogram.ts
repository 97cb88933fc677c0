/** Histograms of log10 |g| over steps, ready to draw. */

import type { Histograms } from '../contract';

/** Of the highest bin; less is below a pixel, and long tails would squeeze all the rest. */
const VISIBLE_SHARE = 0.01;

export interface StepHistogram {
  step: number;
  negative: readonly number[];
  positive: readonly number[];
  zero: number;
  nan: number;
  inf: number;
}

/** The histograms of one variable, or layer; null where the run recorded none for it. */
export function histogramsOf(
  source: Histograms | null | undefined,
  name: string,
): StepHistogram[] | null {
  const found = source?.variables.find(({ path }) => path === name);
  if (!source?.steps.length || !found) return null;
  return source.steps.map((step, i) => ({
    step,
    negative: found.negative[i] ?? [],
    positive: found.positive[i] ?? [],
    zero: found.zero[i] ?? 0,
    nan: found.nan[i] ?? 0,
    inf: found.inf[i] ?? 0,
  }));
}

export function magnitudes(histogram: StepHistogram): number[] {
  return histogram.positive.map((share, i) => share + (histogram.negative[i] ?? 0));
}

/** At most `limit` indices of `count`, evenly spread, the first and the last among them. */
export function spread(count: number, limit: number): number[] {
  if (count <= limit) return Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: limit }, (_, i) => Math.round((i * (count - 1)) / (limit - 1)));
}

/** Range of bins that can be seen in any histogram, as [first, one past the last]. */
export function visibleBins(histograms: readonly StepHistogram[], bins: number): [number, number] {
  const rows = histograms.map(magnitudes);
  const highest = Math.max(0, ...rows.map((shares) => Math.max(...shares)));
  let first = bins;
  let last = -1;
  for (const shares of rows) {
    shares.forEach((share, i) => {
      if (share <= highest * VISIBLE_SHARE) return;
      if (i < first) first = i;
      if (i > last) last = i;
    });
  }
  return last < 0 ? [0, bins] : [Math.max(0, first - 1), Math.min(bins, last + 2)];
}

/** Shares below the lines of the percentile bands: one, two and three deviations of a normal. */
export const PERCENTILES = [0.0013, 0.0228, 0.1587, 0.5, 0.8413, 0.9772, 0.9987];

/** log10 |g| below which each of `shares` of the nonzero finite elements lies; null without any. */
export function percentiles(
  histogram: StepHistogram,
  edges: readonly number[],
  shares: readonly number[] = PERCENTILES,
): number[] | null {
  const rows = magnitudes(histogram);
  const total = rows.reduce((sum, share) => sum + share, 0);
  if (!(total > 0)) return null;
  return shares.map((share) => {
    let below = 0;
    for (let bin = 0; bin < rows.length; bin++) {
      const here = (rows[bin] as number) / total;
      const [low, high] = [edges[bin] as number, edges[bin + 1] as number];
      // Elements of a bin count as evenly spread over it.
      if (here > 0 && below + here >= share) {
        return low + (Math.max(0, share - below) / here) * (high - low);
      }
      below += here;
    }
    return edges.at(-1) as number;
  });
}
