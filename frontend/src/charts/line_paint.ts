/** Lines over steps, aligned with the heatmap and linked to its crosshair. */

import type { Series } from '../contract';
import type { StepAxis } from '../data/axis';
import { kindOf } from '../data/kinds';
import { smooth } from '../data/smooth';
import { nearestIndex } from '../data/steps';
import { drawGlyph } from './glyphs';
import type { Palette } from './palette';
import { STEP_LABELS, paintCrosshair, paintFrame, valueRange, xIn, yIn } from './plot';
import type { Plot } from './plot';

export interface Line {
  label: string;
  steps: readonly number[];
  values: Series;
  colour: string;
  dash?: number[];
}

/** A vertical line where a finding began. */
export interface Onset {
  step: number;
  kind: string;
}

export interface LineOptions {
  lines: readonly Line[];
  axis: StepAxis;
  width: number;
  height: number;
  /** Width of the value axis: where the heatmap's cells start. */
  left: number;
  right: number;
  log: boolean;
  /** Off where a chart right below has the same axis. */
  labels: boolean;
  smoothing: number;
  onsets: readonly Onset[];
  /** Steps with non-finite gradients: ticks at the bottom, as no line can show them. */
  nonfinite: readonly number[];
  /** Values that are healthy, shaded. */
  band: readonly [number, number] | null;
}

const GLYPH_DISTANCE = 11;
const FEW_POINTS = 30;
const FAINT = 0.3;

/** A log axis has no place for zero, negative and missing values: they become gaps. */
export function positiveOnly(values: Series): (number | null)[] {
  return values.map((value) => (value !== null && value > 0 ? value : null));
}

export interface LinePlot extends Plot {
  lines: (Line & { smoothed: Series })[];
}

export function layoutLines(options: LineOptions): LinePlot {
  const { axis, left, right, width, height, labels, log, smoothing } = options;
  const lines = options.lines.map((line) => {
    const values = log ? positiveOnly(line.values) : line.values;
    return { ...line, values, smoothed: smooth(values, smoothing, log) };
  });
  const seen = lines.flatMap(({ steps, values }) =>
    values.filter((value, i): value is number => {
      const step = steps[i] as number;
      return value !== null && step >= axis.min && step <= axis.max;
    }),
  );
  const [min, max] = valueRange(seen, log);
  const top = options.onsets.length > 0 ? 12 : 6;
  return {
    axis,
    left,
    top,
    width: Math.max(1, width - left - right),
    height: Math.max(8, height - top - (labels ? STEP_LABELS : 6)),
    labels,
    min,
    max,
    log,
    lines,
  };
}

function stroke(
  context: CanvasRenderingContext2D,
  plot: Plot,
  { steps, colour, dash }: Line,
  values: Series,
  dots: boolean,
): void {
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.lineWidth = 1.5;
  context.lineJoin = 'round';
  context.setLineDash(dash ?? []);
  context.beginPath();
  values.forEach((value, i) => {
    if (value === null) return;
    const x = xIn(plot, steps[i] as number);
    const y = yIn(plot, value);
    const before = values[i - 1] ?? null;
    if (before === null) context.moveTo(x, y);
    else context.lineTo(x, y);
  });
  context.stroke();
  context.setLineDash([]);
  values.forEach((value, i) => {
    const alone = (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null;
    if (value === null || !(dots || alone)) return;
    context.beginPath();
    context.arc(xIn(plot, steps[i] as number), yIn(plot, value), 2, 0, 2 * Math.PI);
    context.fill();
  });
}

function paintOnsets(
  context: CanvasRenderingContext2D,
  plot: Plot,
  onsets: readonly Onset[],
  palette: Palette,
): void {
  const glyphs: { x: number; kind: string }[] = [];
  for (const { step, kind } of onsets) {
    const { colour } = kindOf(kind);
    const x = Math.round(xIn(plot, step));
    if (x < plot.left - 1 || x > plot.left + plot.width + 1) continue;
    context.strokeStyle = palette.kinds[colour];
    context.lineWidth = 1.5;
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(x, plot.top);
    context.lineTo(x, plot.top + plot.height);
    context.stroke();
    context.setLineDash([]);
    // Kinds that begin at the same step stand side by side; one kind has one glyph for all.
    const near = (at: number) => glyphs.filter((one) => Math.abs(one.x - at) < GLYPH_DISTANCE);
    if (near(x).some((one) => one.kind === kind)) continue;
    let glyph = x;
    while (near(glyph).length > 0) glyph += GLYPH_DISTANCE;
    glyphs.push({ x: glyph, kind });
    drawGlyph(context, colour, glyph, plot.top - 5, 9, palette.kinds[colour]);
  }
}

export function paintLines(
  context: CanvasRenderingContext2D,
  plot: LinePlot,
  options: LineOptions,
  palette: Palette,
): void {
  const { left, top, width, height } = plot;
  context.clearRect(0, 0, options.width, options.height);
  paintFrame(context, plot, palette);
  context.save();
  context.beginPath();
  context.rect(left - 2, top - 2, width + 4, height + 4);
  context.clip();
  if (options.band) {
    const [low, high] = options.band;
    const y = Math.max(top, yIn(plot, high));
    const bottom = Math.min(top + height, yIn(plot, low));
    context.fillStyle = palette.good;
    context.globalAlpha = 0.14;
    if (bottom > y) context.fillRect(left, y, width, bottom - y);
    context.globalAlpha = 1;
  }
  for (const line of plot.lines) {
    const dots = line.steps.length <= FEW_POINTS;
    if (line.smoothed !== line.values) {
      context.globalAlpha = FAINT;
      stroke(context, plot, line, line.values, false);
      context.globalAlpha = 1;
    }
    stroke(context, plot, line, line.smoothed, dots);
  }
  context.fillStyle = palette.kinds.nonfinite;
  for (const step of options.nonfinite) {
    context.fillRect(xIn(plot, step) - 1, top + height - 6, 2, 6);
  }
  context.restore();
  paintOnsets(context, plot, options.onsets, palette);
}

/** What moves with the pointer: the line stands at the step, the dots at the nearest values. */
export function paintLineMarks(
  context: CanvasRenderingContext2D,
  plot: LinePlot,
  step: number | null,
  palette: Palette,
): void {
  context.clearRect(0, 0, plot.left + plot.width + 40, plot.top + plot.height + 8);
  if (step === null || step < plot.axis.min || step > plot.axis.max) return;
  paintCrosshair(context, xIn(plot, step), plot.top, plot.top + plot.height, palette);
  for (const { steps, smoothed, colour } of plot.lines) {
    const index = nearestIndex(steps, step);
    const value = smoothed[index] ?? null;
    if (value === null) continue;
    const y = yIn(plot, value);
    if (y < plot.top - 2 || y > plot.top + plot.height + 2) continue;
    context.fillStyle = colour;
    context.beginPath();
    context.arc(xIn(plot, steps[index] as number), y, 3.5, 0, 2 * Math.PI);
    context.fill();
  }
}
