/** Histograms of log10 |g| of one variable: ridge over steps, or one step over the others. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { prepareCanvas } from '../charts/canvas';
import { paintOverlay } from '../charts/overlay_paint';
import { paletteOf } from '../charts/palette';
import { layoutRidges, paintRidges, ridgeAt } from '../charts/ridge_paint';
import type { Crosshair } from '../data/crosshair';
import type { StepHistogram } from '../data/histogram';
import { formatStep, nearestIndex } from '../data/steps';
import type { Theme } from '../host/theme';
import { useWidth } from '../hooks/size';
import { ShareBars } from './share_bars';

interface Props {
  variable: string;
  histograms: readonly StepHistogram[];
  edges: readonly number[];
  height: number;
  theme: Theme;
  crosshair: Crosshair;
}

type Mode = 'ridge' | 'overlay';

const NOTE_HEIGHT = 22;

export function HistogramView(props: Props) {
  const { variable, histograms, edges, theme, crosshair } = props;
  const [mode, setMode] = useState<Mode>('ridge');
  const height = props.height - (mode === 'overlay' ? NOTE_HEIGHT : 0);
  const [host, width] = useWidth<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const palette = paletteOf(theme);
  const steps = histograms.map((histogram) => histogram.step);
  const last = steps.length - 1;
  const [index, setIndex] = useState(last);
  const shown = Math.min(index, last);
  const chosen = histograms[shown] as StepHistogram;

  useEffect(() => {
    const follow = (step: number | null): void => {
      // Without a crosshair the ridges show the latest step again; a slider stays where it is.
      if (step === null && mode === 'overlay') return;
      setIndex(step === null ? Number.MAX_SAFE_INTEGER : nearestIndex(steps, step));
    };
    follow(crosshair.get());
    return crosshair.subscribe(follow);
  }, [crosshair, histograms, mode]);

  useEffect(() => {
    if (width === 0 || !canvas.current) return undefined;
    const context = prepareCanvas(canvas.current, width, height);
    if (!context) return undefined;
    if (mode === 'overlay') {
      paintOverlay(context, { width, height }, histograms, edges, shown, palette);
      return undefined;
    }
    const layout = layoutRidges(histograms, edges, width, height);
    const paint = (step: number | null): void =>
      paintRidges(context, layout, histograms, edges, step, palette);
    paint(crosshair.get());
    return crosshair.subscribe(paint);
  }, [width, height, mode, histograms, edges, palette, crosshair, mode === 'overlay' ? shown : 0]);

  const onPoint = (event: MouseEvent): void => {
    if (mode !== 'ridge' || width === 0) return;
    const layout = layoutRidges(histograms, edges, width, height);
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    crosshair.set(steps[ridgeAt(layout, event.clientY - box.top)] ?? null);
  };

  return (
    <div class="histogram" ref={host}>
      <div class="histogram-head">
        <strong>log₁₀ |gradient|</strong>
        <label>
          <span class="visually-hidden">Kind of histogram</span>
          <select
            value={mode}
            data-testid="histogram-mode"
            onChange={(event) => setMode(event.currentTarget.value as Mode)}
          >
            <option value="ridge">ridge of steps</option>
            <option value="overlay">overlay at a step</option>
          </select>
        </label>
        {mode === 'overlay' && (
          <input
            type="range"
            aria-label="Step"
            min={0}
            max={last}
            value={shown}
            aria-valuetext={formatStep(chosen.step)}
            onInput={(event) => crosshair.set(steps[Number(event.currentTarget.value)] ?? null)}
          />
        )}
        <span class="muted">{formatStep(chosen.step)}</span>
      </div>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`Histogram of log10 of the gradient's magnitude of ${variable} at ${formatStep(chosen.step)}`}
        style={{ height: `${height}px` }}
        onMouseMove={onPoint}
        onMouseLeave={() => mode === 'ridge' && crosshair.set(null)}
      />
      {mode === 'overlay' && (
        <p class="muted note">
          Up: positive, down: negative. Dotted: first step, solid: latest step.
        </p>
      )}
      <ShareBars histogram={chosen} palette={palette} />
    </div>
  );
}
