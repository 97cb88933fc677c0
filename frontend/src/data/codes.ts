/** Heatmap codes: one byte a cell, log-quantised. `http_api.md` defines them. */

import type { HeatmapReply, SickRow } from '../contract';
import { formatDecades, formatFactor } from './format';

export const NOT_RECORDED = 0;
export const NONFINITE = 1;
export const ZERO = 2;
const HEALTHY = 131;
const LEVELS_PER_DECADE = 31;
/** Levels are clipped here by the server; the true value may lie beyond. */
export const CLIP_DECADES = 4;
/** Ordinary drift between layers: without a dead band it drowns the sick rows. */
export const DEAD_BAND_DECADES = 0.7;

export interface Heatmap {
  steps: number[];
  layers: string[];
  /** Row-major, `layers.length * steps.length`. */
  codes: Uint8Array;
  sick: SickRow[];
}

export function decodeHeatmap(reply: HeatmapReply): Heatmap {
  const codes = Uint8Array.from(atob(reply.codes), (character) => character.charCodeAt(0));
  const expected = reply.layers.length * reply.steps.length;
  if (codes.length !== expected) {
    throw new Error(
      `The heatmap has ${codes.length} cells, but ${reply.layers.length} layers x ` +
        `${reply.steps.length} steps need ${expected}.`,
    );
  }
  return { steps: reply.steps, layers: reply.layers, codes, sick: reply.sick };
}

/** Decades from healthy, or null where a cell has no level (not recorded, NaN, zero). */
export function levelOf(code: number): number | null {
  if (code <= ZERO) return null;
  const level = (code - HEALTHY) / LEVELS_PER_DECADE;
  return Math.max(-CLIP_DECADES, Math.min(CLIP_DECADES, level));
}

/** How much a cell must be seen: when several share a pixel, the most extreme is drawn. */
function extremity(code: number): number {
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
