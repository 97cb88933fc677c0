/** Ridges: one outline of log10 |g| a step, the earliest at the back, the latest in front. */

import { formatInteger } from '../data/format';
import { magnitudes, spread, visibleBins } from '../data/histogram';
import type { StepHistogram } from '../data/histogram';
import { FONT } from './canvas';
import { AXIS_MARGIN, paintMagnitudeAxis, xOfMagnitude } from './magnitude_axis';
import type { MagnitudeAxis } from './magnitude_axis';
import { mix } from './palette';
import type { Palette } from './palette';

const MAX_RIDGES = 48;
/** Height of the tallest ridge, as a share of the plot; of the only one. */
const PEAK_SHARE = 0.34;
const LONE_PEAK_SHARE = 0.9;
const AXIS_HEIGHT = 24;
const HEAD = 16;
const SHARES_WIDTH = 56;
const STEPS_WIDTH = 48;
const STEP_LABEL_DISTANCE = 13;

export interface RidgeLayout {
  axis: MagnitudeAxis;
  /** Indices into the histograms, back to front. */
  shown: number[];
  baselines: number[];
  bottom: number;
  peak: number;
  firstBin: number;
  lastBin: number;
  width: number;
  height: number;
}

export function layoutRidges(
  histograms: readonly StepHistogram[],
  edges: readonly number[],
  width: number,
  height: number,
): RidgeLayout {
  const [firstBin, lastBin] = visibleBins(histograms, edges.length - 1);
  const shown = spread(histograms.length, MAX_RIDGES);
  const bottom = height - AXIS_HEIGHT;
  const peak = (bottom - HEAD) * (shown.length > 1 ? PEAK_SHARE : LONE_PEAK_SHARE);
  const top = HEAD + peak;
  const distance = shown.length > 1 ? (bottom - top) / (shown.length - 1) : 0;
  return {
    axis: {
      min: edges[firstBin] ?? -1,
      max: edges[lastBin] ?? 0,
      left: AXIS_MARGIN,
      width: Math.max(40, width - SHARES_WIDTH - STEPS_WIDTH - 2 * AXIS_MARGIN),
    },
    shown,
    baselines: shown.map((_, i) => (shown.length > 1 ? top + i * distance : bottom)),
    bottom,
    peak,
    firstBin,
    lastBin,
    width,
    height,
  };
}

/** Index into the histograms of the ridge whose baseline is next to `y`. */
export function ridgeAt(layout: RidgeLayout, y: number): number {
  let best = 0;
  layout.baselines.forEach((baseline, i) => {
    if (Math.abs(baseline - y) < Math.abs((layout.baselines[best] ?? 0) - y)) best = i;
  });
  return layout.shown[best] ?? 0;
}

/** The shown ridge whose step is closest to `step`, as a position in `shown`. */
function shownNear(
  layout: RidgeLayout,
  histograms: readonly StepHistogram[],
  step: number,
): number {
  let best = 0;
  const distance = (i: number): number =>
    Math.abs((histograms[layout.shown[i] ?? 0]?.step ?? 0) - step);
  for (let i = 1; i < layout.shown.length; i++) if (distance(i) < distance(best)) best = i;
  return best;
}

function paintShares(
  context: CanvasRenderingContext2D,
  histogram: StepHistogram,
  left: number,
  baseline: number,
  thickness: number,
  palette: Palette,
): void {
  let x = left;
  context.fillStyle = palette.grid;
  context.fillRect(left, baseline - thickness, SHARES_WIDTH, thickness);
  const parts: [number, string][] = [
    [histogram.zero, palette.zero],
    [histogram.nan, palette.nonfinite],
    [histogram.inf, palette.scale[4]],
  ];
  for (const [share, colour] of parts) {
    if (share <= 0) continue;
    // A share of one element in a million is still the news of this picture.
    const width = Math.max(2, share * SHARES_WIDTH);
    context.fillStyle = colour;
    context.fillRect(x, baseline - thickness, Math.min(width, left + SHARES_WIDTH - x), thickness);
    x += width;
  }
}

export function paintRidges(
  context: CanvasRenderingContext2D,
  layout: RidgeLayout,
  histograms: readonly StepHistogram[],
  edges: readonly number[],
  crosshair: number | null,
  palette: Palette,
): void {
  const { axis, shown, baselines, bottom, firstBin, lastBin } = layout;
  context.clearRect(0, 0, layout.width, layout.height);
  paintMagnitudeAxis(context, axis, HEAD, bottom, palette);
  const highest = Math.max(
    1e-9,
    ...shown.flatMap((i) => magnitudes(histograms[i] as StepHistogram)),
  );
  const sharesLeft = axis.left + axis.width + AXIS_MARGIN;
  const thickness = Math.max(1.5, Math.min(6, (bottom - (baselines[0] ?? 0)) / shown.length - 0.5));
  const lit = crosshair === null ? -1 : shownNear(layout, histograms, crosshair);
  let lastLabel = -Infinity;
  shown.forEach((index, i) => {
    const histogram = histograms[index] as StepHistogram;
    const baseline = baselines[i] as number;
    const shares = magnitudes(histogram);
    context.beginPath();
    context.moveTo(axis.left, baseline);
    for (let bin = firstBin; bin < lastBin; bin++) {
      const middle = ((edges[bin] as number) + (edges[bin + 1] as number)) / 2;
      const y = baseline - ((shares[bin] ?? 0) / highest) * layout.peak;
      context.lineTo(xOfMagnitude(axis, middle), y);
    }
    context.lineTo(axis.left + axis.width, baseline);
    const age = shown.length > 1 ? i / (shown.length - 1) : 1;
    context.fillStyle = `rgb(${mix(palette.ridge.early, palette.ridge.late, age).join(' ')})`;
    context.fill();
    context.strokeStyle = i === lit ? palette.ink : palette.ridge.outline;
    context.lineWidth = i === lit ? 2 : 0.75;
    context.stroke();
    paintShares(context, histogram, sharesLeft, baseline, thickness, palette);
    const labelled = i === lit || lit < 0 || Math.abs(baseline - (baselines[lit] ?? 0)) >= 12;
    if ((labelled && baseline - lastLabel >= STEP_LABEL_DISTANCE) || i === lit) {
      context.font = FONT;
      context.textAlign = 'left';
      context.textBaseline = 'middle';
      context.fillStyle = i === lit ? palette.ink : palette.muted;
      context.fillText(formatInteger(histogram.step), sharesLeft + SHARES_WIDTH + 6, baseline - 2);
      if (i !== lit) lastLabel = baseline;
    }
  });
  context.font = FONT;
  context.textBaseline = 'top';
  context.textAlign = 'left';
  context.fillStyle = palette.muted;
  context.fillText('zero/NaN', sharesLeft, 0);
  context.fillText('step', sharesLeft + SHARES_WIDTH + 6, 0);
}
