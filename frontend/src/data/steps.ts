/** The step axis that all panels share. Steps are irregular: positions follow the step itself. */

import { formatInteger } from './format';

export interface StepDomain {
  min: number;
  max: number;
}

/** Smallest range that holds all steps; a single step gets room on both sides. */
export function domainOf(...series: readonly (readonly number[])[]): StepDomain {
  let min = Infinity;
  let max = -Infinity;
  for (const steps of series) {
    for (const step of steps) {
      if (step < min) min = step;
      if (step > max) max = step;
    }
  }
  if (min > max) return { min: 0, max: 1 };
  if (min === max) return { min: min - 0.5, max: max + 0.5 };
  return { min, max };
}

/** Index of the step closest to `target`, -1 for no steps; `steps` is sorted. */
export function nearestIndex(steps: readonly number[], target: number): number {
  let low = 0;
  let high = steps.length - 1;
  if (high < 0) return -1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle] as number) < target) low = middle + 1;
    else high = middle;
  }
  const before = steps[low - 1];
  const here = steps[low] as number;
  return before !== undefined && target - before <= here - target ? low - 1 : low;
}

/** Round distances (1, 2 or 5 times a power of ten, at least `least`), at most `limit` ticks. */
export function roundTicks(min: number, max: number, limit: number, least = 0): number[] {
  const span = max - min;
  const rough = span / Math.max(1, limit);
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((f) => span / (f * power) <= limit) ?? 10;
  const distance = Math.max(least, factor * power);
  const ticks: number[] = [];
  if (!(distance > 0)) return ticks;
  for (let k = Math.ceil(min / distance); k * distance <= max; k++) {
    // Below one a product carries the error of its binary fraction: 3 * 0.1.
    ticks.push(Number((k * distance).toPrecision(12)));
  }
  return ticks;
}

export function stepTicks({ min, max }: StepDomain, limit: number): number[] {
  return roundTicks(min, max, limit, 1);
}

/** Powers of ten within [min, max], thinned to at most `limit`. */
export function decadeTicks(min: number, max: number, limit: number): number[] {
  // Rounded first: the logarithm of a power of ten is not always whole.
  const low = Math.ceil(Number(Math.log10(min).toFixed(9)));
  const high = Math.floor(Number(Math.log10(max).toFixed(9)));
  const distance = Math.max(1, Math.ceil((high - low + 1) / Math.max(1, limit)));
  const ticks: number[] = [];
  for (let power = low; power <= high; power += distance) ticks.push(Number(`1e${power}`));
  return ticks;
}

export function formatStep(step: number): string {
  return `step ${formatInteger(step)}`;
}
