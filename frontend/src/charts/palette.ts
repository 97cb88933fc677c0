/** Colours of the painters. The diverging scale was checked for protan, deutan and tritan sight. */

import { DEAD_BAND_DECADES, NONFINITE, NOT_RECORDED, OUTSIDE, ZERO, levelOf } from '../data/codes';
import type { Kind } from '../data/kinds';
import type { Theme } from '../host/theme';

/** Beyond this many decades the colour does not change any more. */
export const COLOUR_DECADES = 3;

export interface Palette {
  /** -3 decades, half-way, dead band, half-way, +3 decades. */
  scale: readonly [string, string, string, string, string];
  nonfinite: string;
  zero: string;
  notRecorded: string;
  ink: string;
  muted: string;
  grid: string;
  card: string;
  focus: string;
  good: string;
  kinds: Record<Kind['colour'], string>;
  lines: readonly string[];
  ridge: { early: string; late: string; outline: string };
}

const LIGHT: Palette = {
  scale: ['#084081', '#4393c3', '#f4f4f2', '#e6963c', '#8c3c00'],
  nonfinite: '#9000f0',
  zero: '#111111',
  notRecorded: '#a8a8a8',
  ink: '#202124',
  muted: '#5f6368',
  grid: '#e8e8e6',
  card: '#ffffff',
  focus: '#1a5fb4',
  good: '#1b6e3c',
  kinds: {
    vanishing: '#0b5394',
    exploding: '#9a4300',
    dead: '#202124',
    nonfinite: '#7a00cc',
    other: '#5f6368',
  },
  lines: ['#1a5fb4', '#c4570c', '#00796b', '#8e44ad', '#6d6d00', '#ad1457'],
  ridge: { early: '#cfe0f1', late: '#1a5fb4', outline: '#ffffff' },
};

const DARK: Palette = {
  scale: ['#92cdff', '#2c6eb4', '#2c2c2e', '#b26212', '#ffc46e'],
  nonfinite: '#b040ff',
  zero: '#ffffff',
  notRecorded: '#85857a',
  ink: '#f1f1f1',
  muted: '#bdbdbd',
  grid: '#4a4a4c',
  card: '#3a3a3c',
  focus: '#8ab4f8',
  good: '#7fd6a0',
  kinds: {
    vanishing: '#92cdff',
    exploding: '#ffc46e',
    dead: '#ffffff',
    nonfinite: '#d6a0ff',
    other: '#bdbdbd',
  },
  lines: ['#8ab4f8', '#ffb066', '#4dd0b5', '#d6a0ff', '#d9d36b', '#ff8ab0'],
  ridge: { early: '#3f4c5c', late: '#8ab4f8', outline: '#3a3a3c' },
};

export function paletteOf(theme: Theme): Palette {
  return theme === 'dark' ? DARK : LIGHT;
}

export type Rgb = readonly [number, number, number];

export function rgbOf(hex: string): Rgb {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

export function mix(from: string, to: string, share: number): Rgb {
  const a = rgbOf(from);
  const b = rgbOf(to);
  const at = (i: 0 | 1 | 2): number => Math.round(a[i] + (b[i] - a[i]) * share);
  return [at(0), at(1), at(2)];
}

/** Colour of a level: neutral within the dead band, then two linear pieces to the end. */
export function colourOfLevel(level: number, palette: Palette, dead = DEAD_BAND_DECADES): Rgb {
  const [low, lowMiddle, neutral, highMiddle, high] = palette.scale;
  const reach = (Math.abs(level) - dead) / (COLOUR_DECADES - dead);
  const t = Math.max(0, Math.min(1, reach)) * 2;
  const middle = level < 0 ? lowMiddle : highMiddle;
  const end = level < 0 ? low : high;
  return t <= 1 ? mix(neutral, middle, t) : mix(middle, end, t - 1);
}

/** RGBA bytes of all 256 codes, as little-endian words to store in one go. */
export function colourTable(palette: Palette, dead = DEAD_BAND_DECADES): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, code) => {
    let rgb: Rgb;
    if (code === OUTSIDE) rgb = rgbOf(palette.card);
    else if (code === NOT_RECORDED) rgb = rgbOf(palette.notRecorded);
    else if (code === NONFINITE) rgb = rgbOf(palette.nonfinite);
    else if (code === ZERO) rgb = rgbOf(palette.zero);
    else rgb = colourOfLevel(levelOf(code) ?? 0, palette, dead);
    return wordOf(rgb);
  });
}

export function wordOf([red, green, blue]: Rgb): number {
  return (255 << 24) | (blue << 16) | (green << 8) | red;
}
