/** A gradient as a picture: two axes of the stored array, the others at one index each. */

import type { MapReply } from '../contract';
import { bytesOf } from './codes';

export interface GradientMap {
  variable: string;
  step: number;
  /** Of the variable itself; the stored array may be reduced. */
  shape: number[];
  sizes: number[];
  scale: number;
  codes: Int8Array;
}

export const NOT_FINITE = -128;
const LARGEST = 127;

export function decodeMap(reply: MapReply): GradientMap {
  const { variable, step, shape, slices, reduced, scale } = reply;
  const sizes = [...slices, ...reduced];
  const codes = new Int8Array(bytesOf(reply.codes).buffer);
  if (codes.length !== sizes.reduce((product, size) => product * size, 1)) {
    throw new Error(`The map has ${codes.length} cells, not ${sizes.join(' x ')}.`);
  }
  return { variable, step, shape, sizes, scale, codes };
}

export interface MapChoice {
  rows: number;
  columns: number;
  /** One index an axis; those of the two shown axes do not matter. */
  at: readonly number[];
}

/** The last two axes, everything else in the middle: of a 3 x 3 kernel its centre. */
export function firstChoice({ sizes }: GradientMap): MapChoice {
  return {
    rows: sizes.length - 2,
    columns: sizes.length - 1,
    at: sizes.map((size) => Math.floor((size - 1) / 2)),
  };
}

/** Codes of the picture, row-major. */
export function sliceMap(map: GradientMap, choice: MapChoice): Int8Array {
  const { sizes, codes } = map;
  const strides = sizes.map((_, i) => sizes.slice(i + 1).reduce((a, b) => a * b, 1));
  const stride = (axis: number): number => strides[axis] ?? 1;
  let start = 0;
  sizes.forEach((_, axis) => {
    if (axis !== choice.rows && axis !== choice.columns) {
      start += (choice.at[axis] ?? 0) * stride(axis);
    }
  });
  const [rows, columns] = [sizes[choice.rows] ?? 0, sizes[choice.columns] ?? 0];
  const out = new Int8Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      out[row * columns + column] =
        codes[start + row * stride(choice.rows) + column * stride(choice.columns)] ?? 0;
    }
  }
  return out;
}

/** The gradient behind a code; null for NaN and Inf. */
export function valueOf(map: GradientMap, code: number): number | null {
  return code === NOT_FINITE ? null : (code / LARGEST) * map.scale;
}

/** What an axis is called: in the names Keras gives kernels, else by its number. */
export function axisName(map: GradientMap, axis: number): string {
  const rank = map.sizes.length;
  const names = {
    2: ['in', 'out'],
    3: ['position', 'in', 'out'],
    4: ['height', 'width', 'in', 'out'],
  };
  const known = names[rank as 2 | 3 | 4];
  return known?.[axis] ?? `axis ${axis}`;
}
