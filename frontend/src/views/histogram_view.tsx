/** Histograms of log10 |x| of one variable: ridge over steps, one step over others, or bands. */

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { layoutBands, paintBands } from '../charts/bands_paint';
import { pointIn, prepareCanvas } from '../charts/canvas';
import { paintOverlay } from '../charts/overlay_paint';
import { paletteOf } from '../charts/palette';
import { layoutRidges, paintRidges, ridgeAt } from '../charts/ridge_paint';
import { listenToDrag } from '../charts/zoom_drag';
import type { StepHistogram } from '../data/histogram';
import { formatStep, nearestIndex } from '../data/steps';
import type { View } from '../host/location';
import { useWidth } from '../hooks/size';
import { Choice } from './choice';
import { Exports } from './exports';
import { ShareBars } from './share_bars';
import type { Shared } from './shared';

type Mode = View['mode'];

interface Props extends Shared {
  /** What is counted, as in "log10 of the gradient's magnitude". */
  quantity: string;
  histograms: readonly StepHistogram[];
  edges: readonly number[];
  height: number;
  mode: Mode;
  fileName: string;
  onMode: (mode: Mode) => void;
  /** Further choices beside that of the mode. */
  children?: ComponentChildren;
}

const MODES: readonly (readonly [Mode, string])[] = [
  ['ridge', 'ridge'],
  ['overlay', 'overlay'],
  ['bands', 'percentiles'],
];
const NOTES: Partial<Record<Mode, string>> = {
  overlay: 'Up: positive, down: negative. Dotted: first step, solid: latest step.',
  bands: 'Median, and 68, 95 and 99.7 % of the nonzero elements around it.',
};
const NOTE_HEIGHT = 22;

export function HistogramView(props: Props) {
  const { quantity, histograms, edges, theme, crosshair, mode, axis, fileName } = props;
  const note = NOTES[mode];
  const height = props.height - (note ? NOTE_HEIGHT : 0);
  const [host, width] = useWidth<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const area = useRef<HTMLDivElement>(null);
  const palette = paletteOf(theme);
  const steps = histograms.map((histogram) => histogram.step);
  const [step, setStep] = useState<number | null>(crosshair.get());
  const shown = step === null ? steps.length - 1 : nearestIndex(steps, step);
  const chosen = histograms[shown] as StepHistogram;

  useEffect(() => {
    const follow = (at: number | null): void => {
      // Without a crosshair the latest step shows again; a slider stays where it is.
      if (at !== null || mode !== 'overlay') setStep(at);
    };
    follow(crosshair.get());
    return crosshair.subscribe(follow);
  }, [crosshair, mode]);

  useEffect(() => {
    if (width === 0 || !canvas.current) return undefined;
    const context = prepareCanvas(canvas.current, width, height);
    if (!context) return undefined;
    if (mode === 'overlay') {
      paintOverlay(context, { width, height }, histograms, edges, shown, palette);
      return undefined;
    }
    const ridges = layoutRidges(histograms, edges, width, height);
    const bands = layoutBands(histograms, edges, axis, width, height);
    const paint = (at: number | null): void => {
      if (mode === 'bands') paintBands(context, bands, at, palette);
      else paintRidges(context, ridges, histograms, edges, at, palette);
    };
    paint(crosshair.get());
    return crosshair.subscribe(paint);
  }, [width, height, mode, histograms, edges, palette, axis, mode === 'overlay' ? shown : 0]);

  const latest = useRef({ histograms, edges, props, width, height });
  latest.current = { histograms, edges, props, width, height };
  useEffect(() => {
    if (mode !== 'bands' || !area.current) return undefined;
    return listenToDrag(area.current, () => {
      const now = latest.current;
      const { axis: current, zoomTo } = now.props;
      return { ...layoutBands([], [], current, now.width, now.height), zoomTo };
    });
  }, [mode]);

  const stepUnder = (event: MouseEvent): number | null => {
    const [x, y] = pointIn(event);
    if (mode === 'ridge') {
      const layout = layoutRidges(histograms, edges, width, height);
      return steps[ridgeAt(layout, y)] ?? null;
    }
    const plot = layoutBands([], [], axis, width, height);
    const at = Math.max(0, Math.min(1, (x - plot.left) / plot.width));
    return steps[nearestIndex(steps, axis.stepAt(at))] ?? null;
  };
  const table = () => [
    [
      'step',
      'zero',
      'nan',
      'inf',
      ...edges
        .slice(1)
        .flatMap((edge, i) => [`-10^[${edges[i]} ${edge}]`, `+10^[${edges[i]} ${edge}]`]),
    ],
    ...histograms.map(({ step: at, zero, nan, inf, negative, positive }) => [
      at,
      zero,
      nan,
      inf,
      ...positive.flatMap((share, i) => [negative[i], share]),
    ]),
  ];

  return (
    <div class="histogram" ref={host}>
      <div class="histogram-head">
        <strong>log₁₀ of</strong>
        {props.children}
        <Choice
          label="Kind of histogram"
          testid="histogram-mode"
          value={mode}
          options={MODES}
          onChange={props.onMode}
        />
        {mode === 'overlay' && (
          <input
            type="range"
            aria-label="Step"
            min={0}
            max={steps.length - 1}
            value={shown}
            aria-valuetext={formatStep(chosen.step)}
            onInput={(event) => {
              setStep(steps[Number(event.currentTarget.value)] ?? null);
              crosshair.set(steps[Number(event.currentTarget.value)] ?? null);
            }}
          />
        )}
        <span class="muted">{formatStep(chosen.step)}</span>
        <Exports name={fileName} what="the histograms" table={table} />
      </div>
      <div
        class="plot"
        ref={area}
        role="presentation"
        onMouseMove={(event) => mode !== 'overlay' && crosshair.set(stepUnder(event))}
        onMouseLeave={() => mode !== 'overlay' && crosshair.set(null)}
        onClick={(event) => mode !== 'overlay' && props.pinStep(stepUnder(event))}
      >
        <canvas
          ref={canvas}
          role="img"
          aria-label={`Histogram of log10 of the magnitude of the ${quantity} at ${formatStep(chosen.step)}`}
          style={{ height: `${height}px` }}
        />
      </div>
      {note && <p class="muted note">{note}</p>}
      <ShareBars histogram={chosen} palette={palette} />
    </div>
  );
}
