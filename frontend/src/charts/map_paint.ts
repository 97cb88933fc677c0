/** A gradient as an image: symmetric colours around zero. */

import { NOT_FINITE } from '../data/map';
import { FONT } from './canvas';
import { mix, rgbOf, wordOf } from './palette';
import type { Palette, Rgb } from './palette';

/** Colour of a value from -1 to 1. */
export function colourOfValue(value: number, { scale }: Palette): Rgb {
  const t = Math.min(1, Math.abs(value)) * 2;
  const [middle, end] = value < 0 ? [scale[1], scale[0]] : [scale[3], scale[4]];
  return t <= 1 ? mix(scale[2], middle, t) : mix(middle, end, t - 1);
}

const BAR = 12;
const BAR_ROOM = 78;

export interface MapLayout {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Square cells where that fits, else as much of the room as there is. */
export function layoutMap(rows: number, columns: number, width: number, height: number): MapLayout {
  const room = Math.max(20, width - BAR_ROOM);
  const cell = Math.min(room / columns, height / rows);
  const stretched = cell < 1 ? 1 : cell;
  return {
    left: 0,
    top: 0,
    width: Math.min(room, columns * stretched),
    height: Math.min(height, rows * stretched),
  };
}

export function paintMap(
  context: CanvasRenderingContext2D,
  layout: MapLayout,
  codes: Int8Array,
  columns: number,
  /** Largest value shown in full colour, as a share of the map's scale. */
  share: number,
  ends: readonly [string, string],
  palette: Palette,
): void {
  const rows = codes.length / columns;
  const { left, top, width, height } = layout;
  const words = Uint32Array.from({ length: 256 }, (_, i) => {
    const code = i > 127 ? i - 256 : i;
    return wordOf(
      code === NOT_FINITE ? rgbOf(palette.nonfinite) : colourOfValue(code / 127 / share, palette),
    );
  });
  const cells = Uint32Array.from(codes, (code) => words[code & 255] as number);
  const image = document.createElement('canvas');
  image.width = columns;
  image.height = rows;
  const pixels = new ImageData(new Uint8ClampedArray(cells.buffer), columns, rows);
  image.getContext('2d')?.putImageData(pixels, 0, 0);
  context.clearRect(0, 0, left + width + BAR_ROOM, Math.max(height, 1000));
  context.imageSmoothingEnabled = false;
  context.drawImage(image, left, top, width, height);
  context.strokeStyle = palette.muted;
  context.lineWidth = 1;
  context.strokeRect(left + 0.5, top + 0.5, width - 1, height - 1);
  const x = left + width + 10;
  const bar = Math.max(60, height);
  for (let y = 0; y < bar; y++) {
    context.fillStyle = `rgb(${colourOfValue(1 - (2 * y) / bar, palette).join(' ')})`;
    context.fillRect(x, top + y, BAR, 1);
  }
  context.font = FONT;
  context.textAlign = 'left';
  context.fillStyle = palette.muted;
  [ends[1], '0', ends[0]].forEach((label, i) => {
    context.textBaseline = (['top', 'middle', 'bottom'] as const)[i] ?? 'middle';
    context.fillText(label, x + BAR + 4, top + (i * bar) / 2);
  });
}
