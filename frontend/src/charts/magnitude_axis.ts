/** The axis of log10 |g| below the histograms, in decades. */

import { FONT } from './canvas';
import type { Palette } from './palette';

export interface MagnitudeAxis {
  min: number;
  max: number;
  left: number;
  width: number;
}

export function xOfMagnitude(axis: MagnitudeAxis, log10: number): number {
  return axis.left + ((log10 - axis.min) / (axis.max - axis.min)) * axis.width;
}

const PIXELS_PER_LABEL = 44;
/** Half a label hangs over at both ends. */
export const AXIS_MARGIN = 16;

/** Decade lines from `top` to `bottom`, labelled 1e-6 … below. */
export function paintMagnitudeAxis(
  context: CanvasRenderingContext2D,
  axis: MagnitudeAxis,
  top: number,
  bottom: number,
  palette: Palette,
): void {
  const decades = axis.max - axis.min;
  const distance = Math.max(1, Math.ceil((decades * PIXELS_PER_LABEL) / axis.width));
  context.font = FONT;
  context.textAlign = 'center';
  context.textBaseline = 'top';
  for (let at = Math.ceil(axis.min / distance) * distance; at <= axis.max; at += distance) {
    const x = Math.round(xOfMagnitude(axis, at));
    context.fillStyle = palette.grid;
    context.fillRect(x, top, 1, bottom - top + 4);
    context.fillStyle = palette.muted;
    context.fillText(`1e${at}`, x, bottom + 7);
  }
}
