/** A drag over a panel zooms all of them; a double click shows everything again. */

import type { StepAxis } from '../data/axis';

export interface DragArea {
  left: number;
  width: number;
  axis: StepAxis;
  zoomTo: (steps: number[] | null) => void;
}

/** A shorter way is a click that trembled. */
const LEAST_DRAG = 6;

const swallow = (click: Event): void => click.stopPropagation();

/** `area` is asked when a drag begins. The answer takes the listeners away. */
export function listenToDrag(host: HTMLElement, area: () => DragArea): () => void {
  let stop: (() => void) | null = null;
  const start = (event: PointerEvent): void => {
    const { left, width, axis, zoomTo } = area();
    const within = (clientX: number): number =>
      Math.max(0, Math.min(width, clientX - host.getBoundingClientRect().left - left));
    if (event.button !== 0 || event.clientX - host.getBoundingClientRect().left < left) return;
    const from = within(event.clientX);
    const box = document.createElement('div');
    box.className = 'drag-box';
    const move = (moved: PointerEvent): void => {
      const to = within(moved.clientX);
      if (!box.isConnected && Math.abs(to - from) < LEAST_DRAG) return;
      if (!box.isConnected) host.append(box);
      box.style.left = `${left + Math.min(from, to)}px`;
      box.style.width = `${Math.abs(to - from)}px`;
    };
    stop = () => {
      box.remove();
      window.removeEventListener('pointermove', move);
      window.removeEventListener('pointerup', end);
    };
    const end = (ended: PointerEvent): void => {
      const dragged = box.isConnected;
      stop?.();
      if (!dragged) return;
      // The click that follows a drag is none.
      window.addEventListener('click', swallow, { capture: true, once: true });
      window.setTimeout(() => window.removeEventListener('click', swallow, { capture: true }), 50);
      const steps = [from, within(ended.clientX)]
        .map((x) => axis.stepAt(x / width))
        .toSorted((a, b) => a - b);
      if (steps[1]! - steps[0]! > 0) zoomTo(steps);
    };
    window.addEventListener('pointermove', move);
    window.addEventListener('pointerup', end);
  };
  const reset = (): void => area().zoomTo(null);
  host.addEventListener('pointerdown', start);
  host.addEventListener('dblclick', reset);
  return () => {
    stop?.();
    host.removeEventListener('pointerdown', start);
    host.removeEventListener('dblclick', reset);
  };
}
