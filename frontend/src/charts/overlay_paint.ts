/** One step's histogram by sign, over the first and the latest step as outlines. */

import { visibleBins } from '../data/histogram';
import type { StepHistogram } from '../data/histogram';
import { AXIS_MARGIN, paintMagnitudeAxis, xOfMagnitude } from './magnitude_axis';
import type { MagnitudeAxis } from './magnitude_axis';
import type { Palette } from './palette';

const AXIS_HEIGHT = 24;

/** Positive gradients point up from the middle line, negative ones down. */
export function paintOverlay(
  context: CanvasRenderingContext2D,
  size: { width: number; height: number },
  histograms: readonly StepHistogram[],
  edges: readonly number[],
  index: number,
  palette: Palette,
): void {
  const { width, height } = size;
  const [firstBin, lastBin] = visibleBins(histograms, edges.length - 1);
  const bottom = height - AXIS_HEIGHT;
  const middle = bottom / 2;
  const axis: MagnitudeAxis = {
    min: edges[firstBin] ?? -1,
    max: edges[lastBin] ?? 0,
    left: AXIS_MARGIN,
    width: width - 2 * AXIS_MARGIN,
  };
  context.clearRect(0, 0, width, height);
  paintMagnitudeAxis(context, axis, 4, bottom, palette);
  const last = histograms.length - 1;
  const drawn = [...new Set([0, last, index])].map((i) => histograms[i] as StepHistogram);
  const highest = Math.max(1e-9, ...drawn.flatMap((h) => [...h.positive, ...h.negative]));
  const outline = (shares: readonly number[], direction: 1 | -1): void => {
    context.beginPath();
    context.moveTo(xOfMagnitude(axis, axis.min), middle);
    for (let bin = firstBin; bin < lastBin; bin++) {
      const y = middle - direction * ((shares[bin] ?? 0) / highest) * (middle - 6);
      context.lineTo(xOfMagnitude(axis, edges[bin] as number), y);
      context.lineTo(xOfMagnitude(axis, edges[bin + 1] as number), y);
    }
    context.lineTo(xOfMagnitude(axis, axis.max), middle);
  };
  const chosen = histograms[index] as StepHistogram;
  for (const [shares, direction, colour] of [
    [chosen.positive, 1, palette.lines[0]],
    [chosen.negative, -1, palette.lines[1]],
  ] as const) {
    outline(shares, direction);
    context.fillStyle = colour ?? palette.ink;
    context.globalAlpha = 0.55;
    context.fill();
    context.globalAlpha = 1;
  }
  for (const [i, dash] of [
    [0, [2, 3]],
    [last, []],
  ] as const) {
    const reference = histograms[i];
    if (i === index || !reference) continue;
    context.strokeStyle = palette.muted;
    context.lineWidth = 1.25;
    context.setLineDash([...dash]);
    outline(reference.positive, 1);
    context.stroke();
    outline(reference.negative, -1);
    context.stroke();
    context.setLineDash([]);
  }
  context.fillStyle = palette.muted;
  context.fillRect(axis.left, Math.round(middle), axis.width, 1);
}
