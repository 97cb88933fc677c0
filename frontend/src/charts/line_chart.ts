/** A uPlot line chart over steps, aligned with the heatmap and linked to its crosshair. */

import uPlot from 'uplot';
import type { Series } from '../contract';
import type { Crosshair } from '../data/crosshair';
import { formatInteger, formatTicks } from '../data/format';
import { kindOf } from '../data/kinds';
import { decadeTicks, nearestIndex, stepTicks } from '../data/steps';
import type { StepDomain } from '../data/steps';
import { FONT } from './canvas';
import { drawGlyph } from './glyphs';
import type { Palette } from './palette';

export interface Line {
  label: string;
  colour: string;
  steps: readonly number[];
  values: Series;
  dash?: number[];
}

/** A vertical line where a finding began. */
export interface Onset {
  step: number;
  kind: string;
}

export interface LineChartOptions {
  lines: readonly Line[];
  domain: StepDomain;
  width: number;
  height: number;
  /** Width of the value axis: where the heatmap's cells start. */
  left: number;
  right: number;
  log: boolean;
  /** Off where a chart right below has the same axis. */
  stepLabels: boolean;
  onsets: readonly Onset[];
  /** Steps with non-finite gradients: ticks at the bottom, as no line can show them. */
  nonfinite: readonly number[];
  palette: Palette;
  crosshair: Crosshair;
}

const PIXELS_PER_STEP_LABEL = 75;
const PIXELS_PER_DECADE_LABEL = 18;
const GLYPH_DISTANCE = 11;
const EMPTY_LOG_RANGE: [number, number] = [1e-6, 1];

/** A log axis has no place for zero, negative and missing values: they become gaps. */
export function positiveOnly(values: Series): (number | null)[] {
  return values.map((value) => (value !== null && value > 0 ? value : null));
}

/** All lines on the union of their steps; steps of other lines are no gaps. */
function joined(options: LineChartOptions): uPlot.AlignedData {
  const tables = options.lines.map(({ steps, values }): uPlot.AlignedData => [
    [...steps],
    options.log ? positiveOnly(values) : [...values],
  ]);
  return tables.length > 0 ? uPlot.join(tables) : [[]];
}

function axes(options: LineChartOptions): uPlot.Axis[] {
  const { palette, left } = options;
  const shared: uPlot.Axis = {
    stroke: palette.muted,
    font: FONT,
    grid: { stroke: palette.grid, width: 1 },
    ticks: { stroke: palette.grid, width: 1, size: 4 },
  };
  return [
    {
      ...shared,
      size: options.stepLabels ? 24 : 6,
      gap: 4,
      splits: (chart) =>
        stepTicks(options.domain, chart.bbox.width / uPlot.pxRatio / PIXELS_PER_STEP_LABEL),
      values: (_chart, splits) =>
        splits.map((step) => (options.stepLabels ? formatInteger(step) : '')),
    },
    {
      ...shared,
      size: left,
      gap: 4,
      space: 16,
      // uPlot's own ticks of a log axis never end where the values are tiny.
      ...(options.log
        ? {
            splits: (chart: uPlot, _axis: number, min: number, max: number) =>
              decadeTicks(min, max, chart.bbox.height / uPlot.pxRatio / PIXELS_PER_DECADE_LABEL),
            values: (_chart: uPlot, splits: number[]) =>
              splits.map((power) => `1e${Math.round(Math.log10(power))}`),
            filter: (_chart: uPlot, splits: number[]) => splits,
          }
        : {
            values: (_chart: uPlot, splits: number[]) => formatTicks(splits),
          }),
    },
  ];
}

function drawOnsets(chart: uPlot, options: LineChartOptions): void {
  const { ctx, bbox } = chart;
  const ratio = uPlot.pxRatio;
  ctx.save();
  const glyphs: number[] = [];
  for (const { step, kind } of options.onsets) {
    const { colour } = kindOf(kind);
    const x = Math.round(chart.valToPos(step, 'x', true));
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
    ctx.strokeStyle = options.palette.kinds[colour];
    ctx.lineWidth = 1.5 * ratio;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
    // Kinds that begin at the same step stand side by side.
    let glyph = x;
    while (glyphs.some((other) => Math.abs(other - glyph) < GLYPH_DISTANCE * ratio)) {
      glyph += GLYPH_DISTANCE * ratio;
    }
    glyphs.push(glyph);
    drawGlyph(ctx, colour, glyph, bbox.top - 5 * ratio, 9 * ratio, options.palette.kinds[colour]);
  }
  ctx.fillStyle = options.palette.kinds.nonfinite;
  for (const step of options.nonfinite) {
    const x = chart.valToPos(step, 'x', true);
    ctx.fillRect(x - ratio, bbox.top + bbox.height - 6 * ratio, 2 * ratio, 6 * ratio);
  }
  ctx.restore();
}

/** Draws the chart into `host`; the answer takes it away again. */
export function mountLineChart(host: HTMLElement, options: LineChartOptions): () => void {
  const { crosshair, domain } = options;
  const data = joined(options);
  const steps = data[0] as number[];
  const chart = new uPlot(
    {
      width: options.width,
      height: options.height,
      padding: [options.onsets.length > 0 ? 12 : 6, options.right, 0, 0],
      legend: { show: false },
      cursor: {
        // The step is what panels share; a horizontal line would suggest more.
        y: false,
        drag: { x: false, y: false },
        points: { size: 6 },
        // The pointer moves the shared crosshair, and that the cursor: in all charts alike.
        bind: { mousemove: () => null, mouseenter: () => null, mouseleave: () => null },
      },
      scales: {
        x: { time: false, range: () => [domain.min, domain.max] },
        y: options.log
          ? {
              distr: 3,
              log: 10,
              range: (_chart, min, max) =>
                min === null || max === null || !(min > 0)
                  ? EMPTY_LOG_RANGE
                  : uPlot.rangeLog(min, max, 10, true),
            }
          : {},
      },
      axes: axes(options),
      series: [
        {},
        ...options.lines.map((line): uPlot.Series => ({
          label: line.label,
          stroke: line.colour,
          width: 1.5,
          ...(line.dash ? { dash: line.dash } : {}),
          points: { show: line.steps.length <= 30, size: 4, fill: line.colour },
        })),
      ],
      hooks: {
        draw: [(self) => drawOnsets(self, options)],
        // Only now the scales are known and a step has its place.
        ready: [() => follow(crosshair.get())],
      },
    },
    data,
    host,
  );
  const follow = (step: number | null): void => {
    // The line stands at the step itself in all charts; the dots are at the nearest values.
    chart.setCursor(
      step === null ? { left: -10, top: -10 } : { left: chart.valToPos(step, 'x'), top: 1 },
    );
  };
  chart.over.addEventListener('mousemove', (event) => {
    const index = nearestIndex(steps, chart.posToVal(event.offsetX, 'x'));
    crosshair.set(steps[index] ?? null);
  });
  chart.over.addEventListener('mouseleave', () => crosshair.set(null));
  const stop = crosshair.subscribe(follow);
  return () => {
    stop();
    chart.destroy();
  };
}
