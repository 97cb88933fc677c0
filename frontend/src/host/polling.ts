/** Asks for news while somebody can see them: TensorBoard's own timer is off by default. */

const FASTEST_MS = 5_000;
/** Reached when nothing changes: a finished run needs no close watch. */
const SLOWEST_MS = 30_000;
const SLOWDOWN = 1.25;

/** A hidden plugin's iframe is 0 px high while its document still counts as visible. */
export function isVisible(): boolean {
  return window.innerHeight > 0 && document.visibilityState === 'visible';
}

export interface Poll {
  /** The last answer was new: ask quickly again. */
  changed(): void;
  stop(): void;
}

export function startPolling(ask: () => void): Poll {
  let delay = FASTEST_MS;
  let missed = false;
  let timer = 0;
  const tick = (): void => {
    missed = !isVisible();
    if (!missed) ask();
    delay = Math.min(SLOWEST_MS, delay * SLOWDOWN);
    timer = window.setTimeout(tick, delay);
  };
  const wake = (): void => {
    if (!missed || !isVisible()) return;
    window.clearTimeout(timer);
    delay = FASTEST_MS;
    tick();
  };
  timer = window.setTimeout(tick, delay);
  document.addEventListener('visibilitychange', wake);
  window.addEventListener('resize', wake);
  return {
    changed: () => {
      delay = FASTEST_MS;
    },
    stop: () => {
      window.clearTimeout(timer);
      document.removeEventListener('visibilitychange', wake);
      window.removeEventListener('resize', wake);
    },
  };
}
