/**
 * The horizontal axis that all panels share. Data is kept by step; relative and wall time only
 * warp where a step lies, so that crosshair, zoom and address mean the same on every axis.
 */

import { formatInteger } from './format';
import { roundTicks, stepTicks } from './steps';
import type { StepDomain } from './steps';

export type AxisKind = 'step' | 'relative' | 'wall';

/** When steps were logged, seconds; sorted by step. */
export interface Clock {
  steps: readonly number[];
  times: readonly number[];
}

export interface Tick {
  /** 0 at the left edge, 1 at the right one. */
  at: number;
  label: string;
}

export interface StepAxis extends StepDomain {
  kind: AxisKind;
  /** Where a step lies: 0 at the left edge, 1 at the right one, beyond them outside. */
  at(step: number): number;
  stepAt(fraction: number): number;
  ticks(limit: number): Tick[];
}

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
/** Distances between ticks in time, seconds; below and above powers of ten do. */
const DISTANCES = [1, 2, 5, 10, 15, 30]
  .flatMap((n) => [n, n * MINUTE])
  .concat([1, 2, 3, 6, 12].map((n) => n * HOUR))
  .toSorted((a, b) => a - b);

/** Piecewise linear through (xs, ys), continued at both ends with the average slope. */
function interpolate(xs: readonly number[], ys: readonly number[], x: number): number {
  const last = xs.length - 1;
  const [x0, y0] = [xs[0] as number, ys[0] as number];
  const [x1, y1] = [xs[last] as number, ys[last] as number];
  const slope = (y1 - y0) / (x1 - x0);
  if (x <= x0) return y0 + (x - x0) * slope;
  if (x >= x1) return y1 + (x - x1) * slope;
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((xs[middle] as number) <= x) low = middle;
    else high = middle;
  }
  const [xa, xb] = [xs[low] as number, xs[high] as number];
  const [ya, yb] = [ys[low] as number, ys[high] as number];
  return ya + ((x - xa) / (xb - xa)) * (yb - ya);
}

const pad = (n: number): string => String(Math.floor(n)).padStart(2, '0');

/** 5400 -> "1:30 h"; `distance` between neighbours decides how exact a label must be. */
export function formatDuration(seconds: number, distance = 1): string {
  const minutes = Math.floor(seconds / MINUTE);
  if (seconds < MINUTE) {
    const digits = distance < 1 ? Math.ceil(-Math.log10(distance)) : 0;
    return `${seconds.toFixed(digits)} s`;
  }
  if (seconds < HOUR) {
    return distance < MINUTE ? `${minutes}:${pad(seconds % MINUTE)} min` : `${minutes} min`;
  }
  const hours = formatInteger(Math.floor(seconds / HOUR));
  return distance < HOUR ? `${hours}:${pad(minutes % MINUTE)} h` : `${hours} h`;
}

/** "14:05", with seconds where ticks are closer than a minute, as a date at midnight. */
function formatClock(time: number, distance: number): string {
  const date = new Date(time * 1000);
  if (distance >= DAY || (date.getHours() === 0 && date.getMinutes() === 0 && distance >= MINUTE)) {
    return date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
  }
  return date.toLocaleTimeString('en-GB').slice(0, distance < MINUTE ? 8 : 5);
}

function timeTicks(from: number, to: number, limit: number): { times: number[]; distance: number } {
  const rough = (to - from) / Math.max(1, limit);
  const known = rough > 0.5 ? DISTANCES.find((distance) => distance >= rough) : undefined;
  if (known === undefined) {
    const unit = rough > 1 ? DAY : 1;
    const times = roundTicks(from / unit, to / unit, limit, unit === DAY ? 1 : 0);
    const distance = unit * ((times[1] ?? 1) - (times[0] ?? 0));
    return { times: times.map((time) => time * unit), distance };
  }
  const times: number[] = [];
  for (let k = Math.ceil(from / known - 1e-9); k * known <= to + 1e-9; k++) times.push(k * known);
  return { times, distance: known };
}

/** Times that never go back: a resumed run repeats steps, and a clock may be set. */
function risingClock({ steps, times }: Clock): Clock {
  const least = 1e-6;
  let last = -Infinity;
  return {
    steps,
    times: times.map((time) => {
      last = Math.max(time, last + least);
      return last;
    }),
  };
}

export function makeAxis(domain: StepDomain, kind: AxisKind = 'step', clock?: Clock): StepAxis {
  const { min, max } = domain;
  if (kind === 'step' || !clock || clock.steps.length < 2) {
    const at = (step: number): number => (step - min) / (max - min);
    return {
      kind: 'step',
      min,
      max,
      at,
      stepAt: (fraction) => min + fraction * (max - min),
      ticks: (limit) =>
        stepTicks(domain, limit).map((step) => ({ at: at(step), label: formatInteger(step) })),
    };
  }
  const { steps, times } = risingClock(clock);
  const from = interpolate(steps, times, min);
  const span = Math.max(1e-6, interpolate(steps, times, max) - from);
  // Relative time counts from the run's first logged step, wall ticks are round local times.
  const zero =
    kind === 'relative'
      ? (times[0] as number)
      : new Date((times[0] as number) * 1000).getTimezoneOffset() * MINUTE;
  return {
    kind,
    min,
    max,
    at: (step) => (interpolate(steps, times, step) - from) / span,
    stepAt: (fraction) => interpolate(times, steps, from + fraction * span),
    ticks: (limit) => {
      const { times: found, distance } = timeTicks(from - zero, from + span - zero, limit);
      return found.map((time) => ({
        at: (time + zero - from) / span,
        label:
          kind === 'relative' ? formatDuration(time, distance) : formatClock(time + zero, distance),
      }));
    },
  };
}
