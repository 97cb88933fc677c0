/** Exponential smoothing as TensorBoard's Scalars do it. */

import type { Series } from '../contract';

/**
 * s_t = w s_(t-1) + (1 - w) x_t from s_0 = 0, divided by 1 - w^t, so that the start is not pulled
 * to zero. Missing values stay missing and have no weight. On a log axis logarithms are smoothed:
 * a mean of values would follow the largest alone.
 */
export function smooth(values: Series, weight: number, log = false): Series {
  if (weight <= 0) return values;
  let last = 0;
  let norm = 1;
  return values.map((value) => {
    if (value === null || (log && value <= 0)) return null;
    last = weight * last + (1 - weight) * (log ? Math.log10(value) : value);
    norm *= weight;
    const mean = last / (1 - norm);
    return log ? 10 ** mean : mean;
  });
}
