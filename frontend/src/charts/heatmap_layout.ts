/** Where rows and steps of the heatmap lie: pure geometry in CSS pixels. */

import type { StepAxis } from '../data/axis';
import { nearestIndex } from '../data/steps';

/** Room for the step labels below the cells. */
export const AXIS_HEIGHT = 22;
/** A column of brackets, one each level of modules. */
export const BRACKET_WIDTH = 11;
/** Room for ticks and glyphs of the sick rows; the line charts keep the same right edge. */
export const RIGHT_GUTTER = 34;
const LARGEST_ROW = 24;
const MIN_CELLS_HEIGHT = 72;

export interface HeatmapLayout {
  width: number;
  height: number;
  left: number;
  cellsWidth: number;
  cellsHeight: number;
  rows: number;
  rowHeight: number;
  axis: StepAxis;
}

export function layoutHeatmap(
  rows: number,
  width: number,
  maxHeight: number,
  left: number,
  axis: StepAxis,
): HeatmapLayout {
  const cellsHeight = Math.max(
    MIN_CELLS_HEIGHT,
    Math.min(rows * LARGEST_ROW, maxHeight - AXIS_HEIGHT),
  );
  return {
    width,
    height: cellsHeight + AXIS_HEIGHT,
    left,
    cellsWidth: Math.max(1, width - left - RIGHT_GUTTER),
    cellsHeight,
    rows,
    rowHeight: cellsHeight / Math.max(1, rows),
    axis,
  };
}

export function xOfStep(layout: HeatmapLayout, step: number): number {
  return layout.left + layout.axis.at(step) * layout.cellsWidth;
}

export function columnAt(layout: HeatmapLayout, steps: readonly number[], x: number): number {
  const at = Math.max(0, Math.min(1, (x - layout.left) / layout.cellsWidth));
  return nearestIndex(steps, layout.axis.stepAt(at));
}

/** Row under `y`, or -1 outside the cells. */
export function rowAt(layout: HeatmapLayout, y: number): number {
  const row = Math.floor(y / layout.rowHeight);
  return y >= 0 && row < layout.rows ? row : -1;
}

/** Top and height of a row, at least `least` pixels high, for marks that must be visible. */
export function rowBand(layout: HeatmapLayout, row: number, least: number): [number, number] {
  const height = Math.max(least, layout.rowHeight);
  const middle = (row + 0.5) * layout.rowHeight;
  const top = Math.max(0, Math.min(layout.cellsHeight - height, middle - height / 2));
  return [top, height];
}
