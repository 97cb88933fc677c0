/** What all plots over steps share: the frame, its two axes and the crosshair. */

import type { StepAxis } from '../data/axis';
import { formatTicks } from '../data/format';
import { decadeTicks, roundTicks } from '../data/steps';
import { FONT } from './canvas';
import type { Palette } from './palette';

export interface Plot {
  axis: StepAxis;
  left: number;
  top: number;
  width: number;
  height: number;
  /** Room below for the labels of the steps; 0: a plot right below has them. */
  labels: boolean;
  /** Range of the values; their log10 where the axis is logarithmic. */
  min: number;
  max: number;
  log: boolean;
}

export const PIXELS_PER_STEP_LABEL = 75;
const PIXELS_PER_LABEL = 22;
const PIXELS_PER_DECADE_LABEL = 18;
export const STEP_LABELS = 20;

export function xIn(plot: Plot, step: number): number {
  return plot.left + plot.axis.at(step) * plot.width;
}

export function yIn(plot: Plot, value: number): number {
  const at = plot.log ? Math.log10(value) : value;
  return plot.top + (1 - (at - plot.min) / (plot.max - plot.min)) * plot.height;
}

/** Range of an axis around `values`: whole decades, or a margin of a twentieth. */
export function valueRange(values: readonly number[], log: boolean): [number, number] {
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  if (log) {
    if (min > max) return [-6, 0];
    const margin = 0.05;
    return [Math.floor(Math.log10(min) - margin), Math.ceil(Math.log10(max) + margin)];
  }
  if (min > max) return [0, 1];
  const margin = (max - min) / 20 || Math.abs(max) / 20 || 0.5;
  return [min - margin, max + margin];
}

/** Step labels below `y`, centred on their ticks and never past the edges of the canvas. */
export function paintStepLabels(
  context: CanvasRenderingContext2D,
  axis: StepAxis,
  left: number,
  width: number,
  y: number,
  palette: Palette,
): void {
  context.font = FONT;
  context.textAlign = 'center';
  context.textBaseline = 'top';
  context.fillStyle = palette.muted;
  for (const { at, label } of axis.ticks(width / PIXELS_PER_STEP_LABEL)) {
    context.fillText(label, Math.round(left + at * width), y);
  }
}

export function paintFrame(
  context: CanvasRenderingContext2D,
  plot: Plot,
  palette: Palette,
  write?: (value: number) => string,
): void {
  const { axis, left, top, width, height, min, max, log } = plot;
  context.font = FONT;
  context.fillStyle = palette.grid;
  for (const { at } of axis.ticks(width / PIXELS_PER_STEP_LABEL)) {
    context.fillRect(Math.round(left + at * width), top, 1, height + 4);
  }
  const ticks = log
    ? decadeTicks(10 ** min, 10 ** max, height / PIXELS_PER_DECADE_LABEL)
    : roundTicks(min, max, Math.max(2, height / PIXELS_PER_LABEL));
  const labels = log
    ? ticks.map((power) => `1e${Math.round(Math.log10(power))}`)
    : write
      ? ticks.map(write)
      : formatTicks(ticks);
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  ticks.forEach((tick, i) => {
    const y = Math.round(yIn(plot, tick));
    context.fillStyle = palette.grid;
    context.fillRect(left - 4, y, width + 4, 1);
    context.fillStyle = palette.muted;
    context.fillText(labels[i] ?? '', left - 8, y);
  });
  if (plot.labels) paintStepLabels(context, axis, left, width, top + height + 6, palette);
}

/** The dashed line of the crosshair's step. */
export function paintCrosshair(
  context: CanvasRenderingContext2D,
  x: number,
  top: number,
  bottom: number,
  palette: Palette,
): void {
  context.strokeStyle = palette.ink;
  context.lineWidth = 1;
  context.setLineDash([4, 3]);
  context.beginPath();
  context.moveTo(Math.round(x) + 0.5, top);
  context.lineTo(Math.round(x) + 0.5, bottom);
  context.stroke();
  context.setLineDash([]);
}
