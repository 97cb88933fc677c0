import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { pointIn, prepareCanvas } from '../charts/canvas';
import { layoutLines, paintLineMarks, paintLines } from '../charts/line_paint';
import type { Line, Onset } from '../charts/line_paint';
import { paletteOf } from '../charts/palette';
import { listenToDrag } from '../charts/zoom_drag';
import { formatNumber } from '../data/format';
import { formatStep, nearestIndex } from '../data/steps';
import { useWidth } from '../hooks/size';
import type { Shared } from './shared';

/** A colour of the theme by its number: the line's own place unless it says another. */
export type ThemedLine = Omit<Line, 'colour'> & { colour?: number };

interface Props extends Shared {
  title: string;
  lines: readonly ThemedLine[];
  right: number;
  height: number;
  log?: boolean;
  labels?: boolean;
  onsets?: readonly Onset[];
  nonfinite?: readonly number[];
  band?: readonly [number, number] | null;
}

const NO_STEPS: readonly number[] = [];
const NO_ONSETS: readonly Onset[] = [];

/** Value of a line at the crosshair, or its last one. */
function valueAt(line: ThemedLine, step: number | null): number | null {
  const index = step === null ? line.steps.length - 1 : nearestIndex(line.steps, step);
  return line.values[index] ?? null;
}

export function LineChartView(props: Props) {
  const { title, lines, left, right, height, theme, crosshair, axis, smoothing } = props;
  const { log = false, labels = true, band = null } = props;
  const { onsets = NO_ONSETS, nonfinite = NO_STEPS } = props;
  const [host, width] = useWidth<HTMLElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  const area = useRef<HTMLDivElement>(null);
  const [step, setStep] = useState(crosshair.get());
  const palette = paletteOf(theme);
  const colour = (i: number): string => {
    const chosen = lines[i]?.colour ?? i;
    return palette.lines[chosen % palette.lines.length] as string;
  };
  const options = useMemo(
    () => ({
      lines: lines.map((line, i) => ({ ...line, colour: colour(i) })),
      axis,
      width,
      height,
      left,
      right,
      log,
      labels,
      smoothing,
      onsets,
      nonfinite,
      band,
    }),
    [
      lines,
      axis,
      width,
      height,
      left,
      right,
      log,
      labels,
      smoothing,
      onsets,
      nonfinite,
      band,
      theme,
    ],
  );
  const plot = useMemo(() => layoutLines(options), [options]);
  const latest = useRef({ plot, props });
  latest.current = { plot, props };

  useEffect(() => crosshair.subscribe(setStep), [crosshair]);
  useEffect(() => {
    if (width === 0 || !canvas.current || !marks.current) return undefined;
    const context = prepareCanvas(canvas.current, width, height);
    if (context) paintLines(context, plot, options, palette);
    const over = prepareCanvas(marks.current, width, height);
    const paint = (at: number | null): void => {
      if (over) paintLineMarks(over, plot, at, palette);
    };
    paint(crosshair.get());
    return crosshair.subscribe(paint);
  }, [plot, options, palette, crosshair]);
  useEffect(() => {
    if (!area.current) return undefined;
    return listenToDrag(area.current, () => ({
      ...latest.current.plot,
      zoomTo: latest.current.props.zoomTo,
    }));
  }, []);

  /** The step of any line next to the pointer. */
  const stepUnder = (event: MouseEvent): number | null => {
    const at = (pointIn(event)[0] - plot.left) / plot.width;
    const target = axis.stepAt(Math.max(0, Math.min(1, at)));
    let best: number | null = null;
    for (const { steps } of lines) {
      const near = steps[nearestIndex(steps, target)];
      if (near !== undefined && Math.abs(near - target) < Math.abs((best ?? Infinity) - target)) {
        best = near;
      }
    }
    return best;
  };

  return (
    <figure class="line-chart" ref={host}>
      <figcaption style={{ paddingLeft: `${left}px` }}>
        <strong>{title}</strong>
        {lines.map((line, i) => (
          <span key={line.label} class="swatch">
            <i
              class={line.dash ? 'line dashed' : 'line'}
              style={{ background: colour(i), color: colour(i) }}
            />
            {lines.length > 1 || line.label.replaceAll('_', ' ') !== title ? `${line.label} ` : ''}
            <b>{formatNumber(valueAt(line, step))}</b>
          </span>
        ))}
        <span class="muted">{step === null ? 'latest' : `at ${formatStep(step)}`}</span>
      </figcaption>
      <div
        class="plot"
        ref={area}
        role="presentation"
        style={{ height: `${height}px` }}
        onMouseMove={(event) => crosshair.set(stepUnder(event))}
        onMouseLeave={() => crosshair.set(null)}
        onClick={(event) => props.pinStep(stepUnder(event))}
      >
        <canvas ref={canvas} />
        <canvas ref={marks} class="overlay" />
      </div>
    </figure>
  );
}
