/** Panels as files: a table, or a picture of what is on the screen. */

import { FONT } from '../charts/canvas';
import { parentWindow } from './parent';

function save(blob: Blob, name: string): void {
  // In Firefox a download that begins in a frame is what TensorBoard's `frame-src` forbids.
  const link = (parentWindow() ?? window).document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // At once would be too early for some browsers.
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Letters that every file system takes. */
export function fileName(...parts: readonly (string | null)[]): string {
  const words = parts.filter(Boolean).join(' ');
  return words.replace(/[^\p{L}\p{N}._-]+/gu, '_').slice(0, 120) || 'gradients';
}

export function saveCsv(text: string, name: string): void {
  save(new Blob([text], { type: 'text/csv' }), `${name}.csv`);
}

const CLEAR = /^rgba\(.*, 0\)$|^transparent$/;

/** Draws what is in sight of `element`: boxes, canvases and text, where the browser put them. */
function draw(context: CanvasRenderingContext2D, element: Element, origin: DOMRect): void {
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  if (box.width < 2 || style.visibility === 'hidden') return;
  if (element.matches('button:not(.link), select, input, .visually-hidden')) return;
  const [x, y] = [box.x - origin.x, box.y - origin.y];
  if (!CLEAR.test(style.backgroundColor)) {
    context.fillStyle = style.backgroundColor;
    context.fillRect(x, y, box.width, box.height);
  }
  if (element instanceof HTMLCanvasElement) context.drawImage(element, x, y, box.width, box.height);
  const closed = element instanceof HTMLDetailsElement && !element.open;
  for (const node of closed ? [element.firstElementChild as Element] : element.childNodes) {
    if (node instanceof Element) draw(context, node, origin);
    else if (node instanceof Text && node.data.trim()) {
      const range = document.createRange();
      range.selectNodeContents(node);
      const line = range.getBoundingClientRect();
      context.font = `${style.fontWeight} ${style.fontSize} ${FONT.replace(/^\S+ /, '')}`;
      context.fillStyle = style.color;
      context.textBaseline = 'middle';
      context.textAlign = 'left';
      // Wrapped text keeps its lines: a line's worth of words at a time.
      const height = Number.parseFloat(style.lineHeight) || line.height;
      const lines = Math.max(1, Math.round(line.height / height));
      const words = node.data.split(/\s+/);
      let at = 0;
      for (let i = 0; i < lines; i++) {
        let text = words[at++] ?? '';
        const fits = (word: string): boolean =>
          i === lines - 1 || context.measureText(`${text} ${word}`).width <= line.width;
        while (at < words.length && fits(words[at] as string)) text += ` ${words[at++] as string}`;
        context.fillText(text, line.x - origin.x, line.y - origin.y + (i + 0.5) * height);
      }
    }
  }
}

export function savePng(element: Element, name: string): void {
  const box = element.getBoundingClientRect();
  const ratio = Math.max(2, window.devicePixelRatio || 1);
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round(Math.max(box.height, element.scrollHeight) * ratio);
  const context = canvas.getContext('2d');
  if (!context) return;
  context.scale(ratio, ratio);
  context.fillStyle = getComputedStyle(document.body).backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  draw(context, element, box);
  canvas.toBlob((blob) => blob && save(blob, `${name}.png`));
}
