import type { StepAxis } from '../data/axis';
import type { Crosshair } from '../data/crosshair';
import type { Theme } from '../host/theme';

/** What all pictures over steps share. */
export interface Shared {
  axis: StepAxis;
  /** Width of labels and value axes: all pictures have the same left edge. */
  left: number;
  theme: Theme;
  crosshair: Crosshair;
  /** Weight of the past in smoothed lines, 0 to 0.99. */
  smoothing: number;
  /** First and last step to show; null: all. */
  zoomTo: (steps: number[] | null) => void;
  /** The crosshair goes back to this step; null: it vanishes. */
  pinStep: (step: number | null) => void;
}
