import { useEffect, useRef, useState } from 'preact/hooks';
import { mountLineChart } from '../charts/line_chart';
import type { Line, Onset } from '../charts/line_chart';
import { paletteOf } from '../charts/palette';
import type { Crosshair } from '../data/crosshair';
import { formatNumber } from '../data/format';
import { formatStep, nearestIndex } from '../data/steps';
import type { StepDomain } from '../data/steps';
import type { Theme } from '../host/theme';
import { useWidth } from '../hooks/size';

interface Props {
  title: string;
  /** Colours come from the theme, in this order. */
  lines: readonly Omit<Line, 'colour'>[];
  domain: StepDomain;
  left: number;
  right: number;
  height: number;
  log?: boolean;
  stepLabels?: boolean;
  onsets?: readonly Onset[];
  nonfinite?: readonly number[];
  theme: Theme;
  crosshair: Crosshair;
}

const NO_STEPS: readonly number[] = [];
const NO_ONSETS: readonly Onset[] = [];

/** Value of a line at the crosshair, or its last one. */
function valueAt(line: Omit<Line, 'colour'>, step: number | null): number | null {
  const index = step === null ? line.steps.length - 1 : nearestIndex(line.steps, step);
  return line.values[index] ?? null;
}

export function LineChartView(props: Props) {
  const { title, lines, domain, left, right, height, theme, crosshair } = props;
  const { log = false, stepLabels = true, onsets = NO_ONSETS, nonfinite = NO_STEPS } = props;
  const [host, width] = useWidth<HTMLElement>();
  const chart = useRef<HTMLDivElement>(null);
  const [step, setStep] = useState(crosshair.get());
  const palette = paletteOf(theme);
  const colour = (i: number): string => palette.lines[i % palette.lines.length] as string;

  useEffect(() => crosshair.subscribe(setStep), [crosshair]);
  useEffect(() => {
    if (width === 0 || !chart.current) return undefined;
    return mountLineChart(chart.current, {
      lines: lines.map((line, i) => ({ ...line, colour: colour(i) })),
      domain,
      width,
      height,
      left,
      right,
      log,
      stepLabels,
      onsets,
      nonfinite,
      palette,
      crosshair,
    });
  }, [
    lines,
    domain,
    width,
    height,
    left,
    right,
    log,
    stepLabels,
    onsets,
    nonfinite,
    palette,
    crosshair,
  ]);

  return (
    <figure class="line-chart" ref={host}>
      <figcaption style={{ paddingLeft: `${left}px` }}>
        <strong>{title}</strong>
        {lines.map((line, i) => (
          <span key={line.label} class="swatch">
            <i class="line" style={{ background: colour(i) }} />
            {lines.length > 1 || line.label.replaceAll('_', ' ') !== title ? `${line.label} ` : ''}
            <b>{formatNumber(valueAt(line, step))}</b>
          </span>
        ))}
        <span class="muted">{step === null ? 'latest' : `at ${formatStep(step)}`}</span>
      </figcaption>
      <div ref={chart} style={{ height: `${height}px` }} />
    </figure>
  );
}
