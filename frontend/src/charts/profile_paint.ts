/** Gradient norm against depth: the layers in forward order from left to right. */

import { NONFINITE, ZERO } from '../data/codes';
import type { Palette } from './palette';
import { paintCrosshair, paintFrame, valueRange, yIn } from './plot';
import type { Plot } from './plot';
import { makeAxis } from '../data/axis';

export interface Profile {
  /** One a layer of the run that is looked at; null where there is no norm. */
  log10: readonly (number | null)[];
  codes: readonly number[];
  colour: string;
}

const LEFT = 44;
const RIGHT = 12;
const BELOW = 20;

export function layoutProfile(
  profiles: readonly Profile[],
  layers: number,
  width: number,
  height: number,
): Plot {
  const values = profiles.flatMap(({ log10 }) =>
    log10.flatMap((at) => (at === null ? [] : 10 ** at)),
  );
  const [min, max] = valueRange(values, true);
  return {
    // Layers stand where steps do elsewhere; half a place is free at both ends.
    axis: makeAxis({ min: -0.5, max: layers - 0.5 }),
    left: LEFT,
    top: 6,
    width: Math.max(1, width - LEFT - RIGHT),
    height: height - 6 - BELOW,
    labels: true,
    min,
    max,
    log: true,
  };
}

export function layerAt(plot: Plot, layers: number, x: number): number {
  const at = Math.round(plot.axis.stepAt((x - plot.left) / plot.width));
  return Math.max(0, Math.min(layers - 1, at));
}

export function paintProfile(
  context: CanvasRenderingContext2D,
  plot: Plot,
  profiles: readonly Profile[],
  selected: number | null,
  pointed: number | null,
  palette: Palette,
): void {
  const { left, top, width, height } = plot;
  context.clearRect(0, 0, left + width + RIGHT, top + height + BELOW);
  paintFrame(context, plot, palette);
  const xOf = (layer: number): number => left + plot.axis.at(layer) * width;
  if (selected !== null) {
    context.fillStyle = palette.focus;
    context.globalAlpha = 0.25;
    const wide = Math.max(4, width / (plot.axis.max - plot.axis.min));
    context.fillRect(xOf(selected) - wide / 2, top, wide, height);
    context.globalAlpha = 1;
  }
  const thin = width / (plot.axis.max - plot.axis.min) < 5;
  for (const { log10, codes, colour } of profiles) {
    context.strokeStyle = colour;
    context.fillStyle = colour;
    context.lineWidth = 1.5;
    context.beginPath();
    let gap = true;
    log10.forEach((at, layer) => {
      if (at !== null) {
        const [x, y] = [xOf(layer), yIn(plot, 10 ** at)];
        if (gap) context.moveTo(x, y);
        else context.lineTo(x, y);
      }
      gap = at === null;
    });
    context.stroke();
    log10.forEach((at, layer) => {
      const code = codes[layer];
      const x = xOf(layer);
      if (at !== null && !thin) {
        context.beginPath();
        context.arc(x, yIn(plot, 10 ** at), 2.5, 0, 2 * Math.PI);
        context.fill();
      } else if (code === NONFINITE || code === ZERO) {
        // No place on a log axis: a mark at the bottom.
        context.save();
        context.fillStyle = code === ZERO ? palette.zero : palette.nonfinite;
        context.fillRect(x - 1.5, top + height - 7, 3, 7);
        context.restore();
      }
    });
  }
  if (pointed !== null) paintCrosshair(context, xOf(pointed), top, top + height, palette);
}
