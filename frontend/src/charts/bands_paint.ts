/** Percentiles of log10 |g| over steps, as nested bands around the median. */

import type { StepAxis } from '../data/axis';
import { PERCENTILES, percentiles } from '../data/histogram';
import type { StepHistogram } from '../data/histogram';
import type { Palette } from './palette';
import { STEP_LABELS, paintCrosshair, paintFrame, xIn, yIn } from './plot';
import type { Plot } from './plot';

const MIDDLE = (PERCENTILES.length - 1) / 2;
const LEFT = 44;
const RIGHT = 10;
/** To both sides of a step that is the only one: a line needs two. */
const ALONE = 6;

export interface BandsLayout extends Plot {
  steps: number[];
  /** One array a step. */
  lines: number[][];
}

export function layoutBands(
  histograms: readonly StepHistogram[],
  edges: readonly number[],
  axis: StepAxis,
  width: number,
  height: number,
): BandsLayout {
  const found = histograms.flatMap((histogram) => {
    const line = percentiles(histogram, edges);
    return line ? [{ step: histogram.step, line }] : [];
  });
  const all = found.flatMap(({ line }) => line);
  return {
    axis,
    left: LEFT,
    top: 6,
    width: Math.max(1, width - LEFT - RIGHT),
    height: height - 6 - STEP_LABELS,
    labels: true,
    min: Math.floor(Math.min(0, ...all)),
    max: Math.ceil(Math.max(-Infinity, ...all, all.length > 0 ? -Infinity : 1)),
    log: false,
    steps: found.map(({ step }) => step),
    lines: found.map(({ line }) => line),
  };
}

export function paintBands(
  context: CanvasRenderingContext2D,
  plot: BandsLayout,
  crosshair: number | null,
  palette: Palette,
): void {
  const { left, top, width, height, steps, lines } = plot;
  context.clearRect(0, 0, left + width + RIGHT, top + height + STEP_LABELS);
  paintFrame(context, plot, palette, (decade) => (Number.isInteger(decade) ? `1e${decade}` : ''));
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  const trace = (i: number): [number, number][] => {
    const points = steps.map((step, at): [number, number] => [
      xIn(plot, step),
      yIn(plot, lines[at]?.[i] ?? 0),
    ]);
    if (points.length > 1) return points;
    return points.flatMap(([x, y]): [number, number][] => [
      [x - ALONE, y],
      [x + ALONE, y],
    ]);
  };
  context.fillStyle = palette.lines[0] as string;
  context.strokeStyle = palette.lines[0] as string;
  context.globalAlpha = 0.24;
  for (let i = 0; i < MIDDLE; i++) {
    context.beginPath();
    const outline = [...trace(i), ...trace(PERCENTILES.length - 1 - i).toReversed()];
    for (const [x, y] of outline) context.lineTo(x, y);
    context.fill();
  }
  context.globalAlpha = 1;
  context.lineWidth = 1.5;
  context.beginPath();
  for (const [x, y] of trace(MIDDLE)) context.lineTo(x, y);
  context.stroke();
  if (crosshair !== null) paintCrosshair(context, xIn(plot, crosshair), top, top + height, palette);
  context.restore();
}
