/** What all painters share: sharp canvases and the font. */

export const FONT = '11px Roboto, "Helvetica Neue", Arial, sans-serif';
export const BOLD_FONT = `bold ${FONT}`;

/** Sizes `canvas` in CSS pixels and returns a context that draws in them, sharp on any screen. */
export function prepareCanvas(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
): CanvasRenderingContext2D | null {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext('2d');
  context?.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/** Where the pointer is in the element that listens, CSS pixels. */
export function pointIn({ currentTarget, clientX, clientY }: MouseEvent): [number, number] {
  const { left, top } = (currentTarget as Element).getBoundingClientRect();
  return [clientX - left, clientY - top];
}

let measuring: CanvasRenderingContext2D | null | undefined;

/** Width of `text` in the painters' bold font, CSS pixels. */
export function measureText(text: string): number {
  measuring ??= document.createElement('canvas').getContext('2d');
  if (!measuring) return text.length * 6;
  measuring.font = BOLD_FONT;
  return measuring.measureText(text).width;
}
