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

/** `steps.length + 1` edges: each column reaches half-way to its neighbours. */
export function columnEdges(steps: readonly number[], domain: StepDomain): number[] {
  const edges = [domain.min];
  for (let i = 1; i < steps.length; i++) {
    edges.push(((steps[i - 1] as number) + (steps[i] as number)) / 2);
  }
  edges.push(domain.max);
  return edges;
}

/** Whole steps at round distances (1, 2 or 5 times a power of ten), at most `limit`. */
export function stepTicks(domain: StepDomain, limit: number): number[] {
  const span = domain.max - domain.min;
  const rough = span / Math.max(1, limit);
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((f) => span / (f * power) <= limit) ?? 10;
  const distance = Math.max(1, factor * power);
  const ticks: number[] = [];
  for (let k = Math.ceil(domain.min / distance); k * distance <= domain.max; k++) {
    ticks.push(k * distance);
  }
  return ticks;
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
