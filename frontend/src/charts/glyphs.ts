/** The kinds' glyphs as paths: fonts differ in where and whether they draw ▼ ▲ ■ ⊘. */

import type { Kind } from '../data/kinds';

/** Draws the glyph of a kind around (x, y) within `size` pixels; hollow where it has healed. */
export function drawGlyph(
  context: CanvasRenderingContext2D,
  kind: Kind['colour'],
  x: number,
  y: number,
  size: number,
  colour: string,
  hollow = false,
): void {
  const r = size / 2;
  context.save();
  context.fillStyle = colour;
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  if (kind === 'vanishing' || kind === 'exploding') {
    const tip = kind === 'vanishing' ? r : -r;
    context.moveTo(x - r, y - tip * 0.8);
    context.lineTo(x + r, y - tip * 0.8);
    context.lineTo(x, y + tip * 0.9);
    context.closePath();
  } else if (kind === 'dead') {
    context.rect(x - r * 0.85, y - r * 0.85, size * 0.85, size * 0.85);
  } else {
    context.arc(x, y, r * 0.9, 0, 2 * Math.PI);
  }
  if (hollow || kind === 'nonfinite') context.stroke();
  else context.fill();
  if (kind === 'nonfinite') {
    context.beginPath();
    context.moveTo(x - r * 0.6, y + r * 0.6);
    context.lineTo(x + r * 0.6, y - r * 0.6);
    context.stroke();
  }
  context.restore();
}
