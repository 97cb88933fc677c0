/**
 * The step under the pointer, shared by all panels. Not component state: it changes with every
 * move of the mouse, and the panels repaint an overlay instead of rendering anew.
 */

export interface Crosshair {
  get(): number | null;
  /** null: nothing is pointed at, and the step that was pinned, if any, shows again. */
  set(step: number | null): void;
  pin(step: number | null): void;
  subscribe(listener: (step: number | null) => void): () => void;
}

export function createCrosshair(): Crosshair {
  let pointed: number | null = null;
  let pinned: number | null = null;
  let told: number | null = null;
  const listeners = new Set<(step: number | null) => void>();
  const tell = (): void => {
    const step = pointed ?? pinned;
    // Charts answer a move of the crosshair by moving their own cursor, which sets it again.
    if (step === told) return;
    told = step;
    for (const listener of listeners) listener(step);
  };
  return {
    get: () => told,
    set: (step) => {
      pointed = step;
      tell();
    },
    pin: (step) => {
      pinned = step;
      tell();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
