/** Heatmap codes: one byte a cell, log-quantised. `http_api.md` defines them. */

import type { HeatmapReply, SickRow } from '../contract';
import { formatDecades, formatFactor } from './format';

export const NOT_RECORDED = 0;
export const NONFINITE = 1;
export const ZERO = 2;
/** No cell at all: the picture's axis goes beyond the run. Never sent. */
export const OUTSIDE = 3;
const LOWEST = 7;
export const HEALTHY = 131;
const LEVELS_PER_DECADE = 31;
/** Levels are clipped here by the server; the true value may lie beyond. */
export const CLIP_DECADES = 4;
/** Ordinary drift between layers: without a dead band it drowns the sick rows. */
export const DEAD_BAND_DECADES = 0.7;

export interface Heatmap {
  steps: number[];
  /** Wall times of the steps, seconds. */
  times: number[];
  layers: string[];
  /** Row-major, `layers.length * steps.length`. */
  codes: Uint8Array;
  sick: SickRow[];
  epoch?: string | undefined;
}

export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  // Uint8Array.from takes a third of a second for 3000 layers x 1000 steps.
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

export function decodeHeatmap(reply: HeatmapReply): Heatmap {
  const { steps, wall_times: times, layers, sick, epoch } = reply;
  const codes = bytesOf(reply.codes);
  const expected = layers.length * steps.length;
  if (codes.length !== expected) {
    throw new Error(
      `Heatmap has ${codes.length} cells; ${layers.length} x ${steps.length} need ${expected}.`,
    );
  }
  return { steps, times, layers, codes, sick, epoch };
}

/** The code of a level in decades. */
export function codeOf(level: number): number {
  return Math.max(LOWEST, Math.min(255, Math.round(HEALTHY + LEVELS_PER_DECADE * level)));
}

/** Decades from healthy, or null where a cell has no level (not recorded, NaN, zero). */
export function levelOf(code: number): number | null {
  if (code <= ZERO) return null;
  const level = (code - HEALTHY) / LEVELS_PER_DECADE;
  return Math.max(-CLIP_DECADES, Math.min(CLIP_DECADES, level));
}

/** How much a cell must be seen: when several share a pixel, the most extreme is drawn. */
export function extremity(code: number): number {
  if (code === OUTSIDE) return -2;
  if (code === NOT_RECORDED) return -1;
  if (code === NONFINITE) return 1001;
  if (code === ZERO) return 1000;
  return Math.abs(code - HEALTHY);
}

const EXTREMITY = Int16Array.from({ length: 256 }, (_, code) => extremity(code));

export function moreExtreme(a: number, b: number): number {
  return (EXTREMITY[b] ?? 0) > (EXTREMITY[a] ?? 0) ? b : a;
}

/** What a cell says, in words. */
export function describeCode(code: number): string {
  const level = levelOf(code);
  if (code === NOT_RECORDED) return 'not recorded';
  if (code === NONFINITE) return 'NaN or Inf in the gradient';
  if (code === ZERO) return 'gradient exactly zero';
  if (level === null || Math.abs(level) <= DEAD_BAND_DECADES) {
    return `healthy (${formatDecades(level ?? 0)})`;
  }
  const factor = formatFactor(level);
  const clipped = Math.abs(level) >= CLIP_DECADES;
  return level < 0
    ? `${factor}${clipped ? ' or less' : ''} of the most sensitive layer (${formatDecades(level)})`
    : `${factor}${clipped ? ' or more' : ''} its own early norm (${formatDecades(level)})`;
}

/** What a cell of the ratio map says: the norm in run A against that in run B. */
export function describeRatio(code: number): string {
  const level = levelOf(code);
  if (code === NOT_RECORDED) return 'not recorded in both runs';
  if (code === NONFINITE) return 'NaN or Inf in one of the runs';
  if (level === null) return 'exactly zero in one of the runs';
  const clipped = Math.abs(level) >= CLIP_DECADES;
  const factor = level === 0 ? '1×' : formatFactor(level);
  return `A is ${factor}${clipped ? ' or more of' : ' of'} B (${formatDecades(level)})`;
}
