/** Paints the heatmap: cells, labels, step axis, and the marks of sick rows. */

import type { SickRow } from '../contract';
import type { Heatmap } from '../data/codes';
import { kindOf } from '../data/kinds';
import { fitTail } from '../data/layers';
import type { Bracket } from '../data/rows';
import { BOLD_FONT, FONT, measureText } from './canvas';
import { drawGlyph } from './glyphs';
import { rasterize } from './heatmap_cells';
import { BRACKET_WIDTH, rowBand, xOfStep } from './heatmap_layout';
import type { HeatmapLayout } from './heatmap_layout';
import { colourTable } from './palette';
import type { Palette } from './palette';
import { PIXELS_PER_STEP_LABEL, paintCrosshair, paintStepLabels } from './plot';

const LABEL_DISTANCE = 12;
/** A lower one would be a blot. */
const LEAST_BRACKET = 4;
const TICK_WIDTH = 4;
/** A row of one pixel would hide its own sickness: its tick never shrinks below this. */
const LEAST_TICK = 3;
/** From here on rows are told apart by a line between them. */
const SEPARATED_ROW = 9;
const GLYPH = 9;
const GLYPH_COLUMNS = 2;

function paintCells(
  context: CanvasRenderingContext2D,
  layout: HeatmapLayout,
  data: Heatmap,
  palette: Palette,
  dead: number | undefined,
): void {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(layout.cellsWidth * ratio));
  const height = Math.max(1, Math.round(layout.cellsHeight * ratio));
  const colours = colourTable(palette, dead);
  const words = Uint32Array.from(
    rasterize(data, layout.axis, width, height),
    (code) => colours[code] as number,
  );
  const image = new ImageData(new Uint8ClampedArray(words.buffer), width, height);
  context.putImageData(image, Math.round(layout.left * ratio), 0);
  if (layout.rowHeight < SEPARATED_ROW) return;
  context.fillStyle = palette.card;
  for (let row = 1; row < layout.rows; row++) {
    // The first pixel whose middle is in the row, as in the raster.
    context.fillRect(layout.left, Math.ceil(row * layout.rowHeight - 0.5), layout.cellsWidth, 1);
  }
}

function paintStepAxis(
  context: CanvasRenderingContext2D,
  layout: HeatmapLayout,
  palette: Palette,
): void {
  const { axis, left, cellsWidth, cellsHeight } = layout;
  context.fillStyle = palette.grid;
  for (const { at } of axis.ticks(cellsWidth / PIXELS_PER_STEP_LABEL)) {
    context.fillRect(Math.round(left + at * cellsWidth), cellsHeight, 1, 5);
  }
  paintStepLabels(context, axis, left, cellsWidth, cellsHeight + 8, palette);
}

/** Modules at the left: a line beside their rows, or a filled mark where they are folded. */
function paintBrackets(
  context: CanvasRenderingContext2D,
  layout: HeatmapLayout,
  brackets: readonly Bracket[],
  palette: Palette,
): void {
  context.fillStyle = palette.muted;
  for (const { level, from, to, folded } of brackets) {
    const x = 2 + level * BRACKET_WIDTH;
    const y = Math.round(from * layout.rowHeight);
    const height = Math.round((to - from) * layout.rowHeight) - 2;
    if (height < LEAST_BRACKET) continue;
    if (folded) {
      const middle = y + height / 2;
      context.beginPath();
      context.moveTo(x, middle - 4);
      context.lineTo(x + 6, middle);
      context.lineTo(x, middle + 4);
      context.fill();
    } else {
      context.fillRect(x, y + 1, 1.5, height);
      context.fillRect(x, y + 1, 6, 1.5);
      context.fillRect(x, y + height - 0.5, 6, 1.5);
    }
  }
}

/** Middle of a row's label, which stays within the cells' height. */
function labelY(layout: HeatmapLayout, row: number): number {
  return Math.max(6, Math.min(layout.cellsHeight - 6, (row + 0.5) * layout.rowHeight));
}

/** Rows to label: the sick ones first, then as many others as there is room for. */
export function labelledRows(layout: HeatmapLayout, sick: readonly SickRow[]): number[] {
  const taken: number[] = [];
  const free = (row: number): boolean =>
    taken.every((other) => Math.abs(labelY(layout, other) - labelY(layout, row)) >= LABEL_DISTANCE);
  const sickRows = [...new Set(sick.map(([row]) => row))].toSorted((a, b) => a - b);
  const every = Math.max(1, Math.ceil(LABEL_DISTANCE / layout.rowHeight));
  const others = Array.from({ length: Math.ceil(layout.rows / every) }, (_, i) => i * every);
  for (const row of [...sickRows, ...others]) if (free(row)) taken.push(row);
  return taken;
}

function paintLabels(
  context: CanvasRenderingContext2D,
  layout: HeatmapLayout,
  data: Heatmap,
  palette: Palette,
  room: number,
): void {
  const active = new Set(data.sick.filter((entry) => entry[4]).map(([row]) => row));
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  for (const row of labelledRows(layout, data.sick)) {
    context.font = active.has(row) ? BOLD_FONT : FONT;
    context.fillStyle = active.has(row) ? palette.ink : palette.muted;
    const y = labelY(layout, row);
    const text = fitTail(data.layers[row] ?? '', layout.left - 10 - room, measureText);
    context.fillText(text, layout.left - 8, y);
  }
}

/** Where each sick row fell sick: a bar in the cells, light-edged to stand out on any colour. */
function paintOnsets(
  context: CanvasRenderingContext2D,
  layout: HeatmapLayout,
  sick: readonly SickRow[],
  palette: Palette,
): void {
  for (const [row, kind, since] of sick) {
    if (since > layout.axis.max || since < layout.axis.min) continue;
    const x = Math.max(layout.left + 2, xOfStep(layout, since));
    const [top, height] = rowBand(layout, row, LEAST_TICK);
    context.fillStyle = palette.card;
    context.fillRect(x - 2, top, 5, height);
    context.fillStyle = palette.kinds[kindOf(kind).colour];
    context.fillRect(x - 1, top, 3, height);
  }
}

/** Ticks at the right, one a sick row, and a glyph wherever it does not cover another. */
function paintGutter(
  context: CanvasRenderingContext2D,
  layout: HeatmapLayout,
  sick: readonly SickRow[],
  palette: Palette,
): void {
  const left = layout.left + layout.cellsWidth + 3;
  const glyphs: { y: number; column: number; kind: string; active: boolean }[] = [];
  for (const [row, kind, , , active] of sick) {
    const [top, height] = rowBand(layout, row, LEAST_TICK);
    const gap = layout.rowHeight >= SEPARATED_ROW ? 1 : 0;
    context.fillStyle = palette.kinds[kindOf(kind).colour];
    context.globalAlpha = active ? 1 : 0.45;
    context.fillRect(left, top + gap, TICK_WIDTH, height - gap);
    context.globalAlpha = 1;
    const edge = GLYPH / 2 + 1;
    const y = Math.max(edge, Math.min(layout.cellsHeight - edge, top + height / 2));
    const near = glyphs.filter((glyph) => Math.abs(glyph.y - y) < GLYPH + 2);
    // Rows of one kind share a glyph where they are thin; another kind goes beside it.
    if (near.some((glyph) => glyph.kind === kind)) continue;
    const column = near.length;
    if (column < GLYPH_COLUMNS) glyphs.push({ y, column, kind, active });
  }
  for (const { y, column, kind, active } of glyphs) {
    const { colour } = kindOf(kind);
    const x = left + TICK_WIDTH + 8 + column * (GLYPH + 3);
    drawGlyph(context, colour, x, y, GLYPH, palette.kinds[colour], !active);
  }
}

export interface HeatmapExtras {
  brackets: readonly Bracket[];
  /** Half-width of the neutral band of colours, decades. */
  dead?: number | undefined;
}

/** Width that the brackets take at the left. */
export function bracketRoom(brackets: readonly Bracket[]): number {
  return brackets.length === 0
    ? 0
    : (1 + Math.max(...brackets.map(({ level }) => level))) * BRACKET_WIDTH;
}

export function paintHeatmap(
  context: CanvasRenderingContext2D,
  layout: HeatmapLayout,
  data: Heatmap,
  palette: Palette,
  { brackets, dead }: HeatmapExtras,
): void {
  context.clearRect(0, 0, layout.width, layout.height);
  paintCells(context, layout, data, palette, dead);
  paintOnsets(context, layout, data.sick, palette);
  paintBrackets(context, layout, brackets, palette);
  paintLabels(context, layout, data, palette, bracketRoom(brackets));
  paintStepAxis(context, layout, palette);
  paintGutter(context, layout, data.sick, palette);
}

export interface HeatmapMarks {
  /** Cell under the pointer or the keyboard's cursor. */
  row: number | null;
  step: number | null;
  /** Row whose detail is open. */
  selected: number | null;
  /** Rows of the finding that is pointed at. */
  highlighted: readonly number[];
}

/** Rows too thin to have a label of their own get one while they are marked. */
function paintMarkedLabel(
  context: CanvasRenderingContext2D,
  layout: HeatmapLayout,
  path: string,
  row: number,
  colours: { page: string; text: string },
): void {
  if (layout.rowHeight >= LABEL_DISTANCE) return;
  const y = Math.max(8, Math.min(layout.cellsHeight - 8, (row + 0.5) * layout.rowHeight));
  const text = fitTail(path, layout.left - 14, measureText);
  const width = measureText(text) + 8;
  context.fillStyle = colours.page;
  context.fillRect(layout.left - 5 - width, y - 8, width, 16);
  context.font = BOLD_FONT;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  context.fillStyle = colours.text;
  context.fillText(text, layout.left - 9, y);
}

/** What changes with the pointer, on a canvas of its own above the cells. */
export function paintMarks(
  context: CanvasRenderingContext2D,
  layout: HeatmapLayout,
  layers: readonly string[],
  marks: HeatmapMarks,
  palette: Palette,
): void {
  context.clearRect(0, 0, layout.width, layout.height);
  const outline = (row: number, colour: string, line: number): void => {
    const [top, height] = rowBand(layout, row, LEAST_TICK);
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(layout.left - 1, top, layout.cellsWidth + 2, height);
  };
  if (marks.highlighted.length > 0) {
    const lit = new Set(marks.highlighted);
    context.fillStyle = palette.card;
    context.globalAlpha = 0.45;
    for (let row = 0; row < layout.rows; row++) {
      if (lit.has(row)) continue;
      context.fillRect(layout.left, row * layout.rowHeight, layout.cellsWidth, layout.rowHeight);
    }
    context.globalAlpha = 1;
  }
  if (marks.selected !== null) {
    outline(marks.selected, palette.focus, 2);
    const [top, height] = rowBand(layout, marks.selected, LEAST_TICK);
    context.fillStyle = palette.focus;
    context.fillRect(layout.left - 5, top, 4, height);
    paintMarkedLabel(context, layout, layers[marks.selected] ?? '', marks.selected, {
      page: palette.focus,
      text: palette.card,
    });
  }
  if (marks.row !== null) {
    outline(marks.row, palette.ink, 1.5);
    paintMarkedLabel(context, layout, layers[marks.row] ?? '', marks.row, {
      page: palette.ink,
      text: palette.card,
    });
  }
  const { min, max } = layout.axis;
  if (marks.step !== null && marks.step >= min && marks.step <= max) {
    paintCrosshair(context, xOfStep(layout, marks.step), 0, layout.cellsHeight, palette);
  }
}
