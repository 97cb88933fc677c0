/**
 * The step under the pointer, shared by all panels. Not component state: it changes with every
 * move of the mouse, and the panels repaint an overlay instead of rendering anew.
 */

export interface Crosshair {
  get(): number | null;
  set(step: number | null): void;
  subscribe(listener: (step: number | null) => void): () => void;
}

export function createCrosshair(): Crosshair {
  let current: number | null = null;
  const listeners = new Set<(step: number | null) => void>();
  return {
    get: () => current,
    set: (step) => {
      // Charts answer a move of the crosshair by moving their own cursor, which sets it again.
      if (step === current) return;
      current = step;
      for (const listener of listeners) listener(step);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
