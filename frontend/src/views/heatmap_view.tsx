/** Layers x steps: the overview, and the way into a layer. */

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { prepareCanvas } from '../charts/canvas';
import { columnAt, layoutHeatmap, rowAt } from '../charts/heatmap_layout';
import { paintHeatmap, paintMarks } from '../charts/heatmap_paint';
import { paletteOf } from '../charts/palette';
import { NOT_RECORDED, describeCode } from '../data/codes';
import type { Heatmap } from '../data/codes';
import type { Crosshair } from '../data/crosshair';
import { formatInteger, plural } from '../data/format';
import { kindOf } from '../data/kinds';
import { formatStep, nearestIndex } from '../data/steps';
import type { StepDomain } from '../data/steps';
import type { Theme } from '../host/theme';
import { useWidth } from '../hooks/size';
import { HeatmapLegend } from './legend';

interface Props {
  data: Heatmap;
  domain: StepDomain;
  left: number;
  maxHeight: number;
  theme: Theme;
  crosshair: Crosshair;
  selected: string | null;
  highlighted: readonly string[];
  loggedSteps: number;
  onOpen: (layer: string) => void;
}

const PAGE_ROWS = 20;
const HINT =
  'Point at a cell for its exact value; click it for the layer’s detail. Keys: arrows, Enter, Esc.';

function clamp(value: number, count: number): number {
  return Math.max(0, Math.min(count - 1, value));
}

/** "dense_0 · step 47 · 1/4,200 of … · vanishing since step 3". */
export function readOut(data: Heatmap, row: number, column: number): string {
  const step = data.steps[column] ?? 0;
  const code = data.codes[row * data.steps.length + column] ?? NOT_RECORDED;
  const sick = data.sick
    .filter(([at, , since, last]) => at === row && step >= since && step <= last)
    .map(([, kind, since]) => `${kindOf(kind).word} since step ${formatInteger(since)}`);
  return [data.layers[row] ?? '', formatStep(step), describeCode(code), ...sick].join(' · ');
}

export function HeatmapView(props: Props) {
  const { data, domain, left, maxHeight, theme, crosshair, selected, highlighted, onOpen } = props;
  const { steps, layers } = data;
  const [host, width] = useWidth<HTMLDivElement>();
  const cells = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  const [text, setText] = useState(HINT);
  const [spoken, setSpoken] = useState('');
  const row = useRef<number | null>(null);
  const palette = paletteOf(theme);
  const layout = useMemo(
    () => layoutHeatmap(layers.length, width, maxHeight, left, domain),
    [layers.length, width, maxHeight, left, domain],
  );
  const drawn = width > 0 && layers.length > 0;

  useEffect(() => {
    if (!drawn || !cells.current) return;
    const context = prepareCanvas(cells.current, layout.width, layout.height);
    if (context) paintHeatmap(context, layout, data, palette);
  }, [drawn, layout, data, palette]);

  const repaint = useRef(() => {});
  useEffect(() => {
    if (!drawn || !marks.current) return undefined;
    const context = prepareCanvas(marks.current, layout.width, layout.height);
    if (!context) return undefined;
    const selectedRow = selected === null ? -1 : layers.indexOf(selected);
    const rows = highlighted.map((path) => layers.indexOf(path)).filter((at) => at >= 0);
    repaint.current = () => {
      const step = crosshair.get();
      const at = row.current;
      paintMarks(
        context,
        layout,
        layers,
        {
          row: at,
          step,
          selected: selectedRow < 0 ? null : selectedRow,
          highlighted: rows,
        },
        palette,
      );
      setText(step !== null && at !== null ? readOut(data, at, nearestIndex(steps, step)) : HINT);
    };
    repaint.current();
    return crosshair.subscribe(() => repaint.current());
  }, [drawn, layout, data, palette, selected, highlighted, crosshair, layers, steps]);

  const moveTo = (newRow: number | null, column: number): void => {
    const changed = newRow !== row.current;
    row.current = newRow;
    const step = newRow === null ? null : (steps[column] ?? null);
    if (crosshair.get() === step && changed) repaint.current();
    crosshair.set(step);
  };

  const cellUnder = (event: MouseEvent): [number, number] => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    return [
      rowAt(layout, event.clientY - box.top),
      columnAt(layout, steps, event.clientX - box.left),
    ];
  };

  const onPointerMove = (event: MouseEvent): void => {
    const [at, column] = cellUnder(event);
    moveTo(at < 0 ? null : at, column);
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const at = row.current ?? Math.max(0, selected === null ? 0 : layers.indexOf(selected));
    const step = crosshair.get();
    const column = step === null ? steps.length - 1 : nearestIndex(steps, step);
    const targets: Record<string, [number, number]> = {
      ArrowUp: [at - 1, column],
      ArrowDown: [at + 1, column],
      ArrowLeft: [at, column - 1],
      ArrowRight: [at, column + 1],
      PageUp: [at - PAGE_ROWS, column],
      PageDown: [at + PAGE_ROWS, column],
      Home: [at, 0],
      End: [at, steps.length - 1],
    };
    const target = targets[event.key];
    if (event.key === 'Enter' || event.key === ' ') {
      const layer = layers[at];
      if (layer !== undefined) onOpen(layer);
    } else if (target) {
      // The first key shows where the cursor is before it moves.
      const [toRow, toColumn] = row.current === null ? [at, column] : target;
      const newRow = clamp(toRow, layers.length);
      const newColumn = clamp(toColumn, steps.length);
      moveTo(newRow, newColumn);
      setSpoken(readOut(data, newRow, newColumn));
    } else {
      return;
    }
    event.preventDefault();
  };

  return (
    <>
      <HeatmapLegend palette={palette} />
      <div ref={host}>
        <div
          class="heatmap"
          role="application"
          aria-roledescription="heatmap"
          aria-label={`Gradient level of ${plural(layers.length, 'layer')} over ${plural(steps.length, 'step')}. Arrow keys move, Enter opens the layer.`}
          tabIndex={0}
          data-testid="heatmap"
          {...(drawn ? { 'data-rows': layers.length, 'data-columns': steps.length } : {})}
          style={{ height: `${layout.height}px` }}
          onMouseMove={onPointerMove}
          onMouseLeave={() => moveTo(null, 0)}
          onClick={(event) => {
            const layer = layers[cellUnder(event)[0]];
            if (layer !== undefined) onOpen(layer);
          }}
          onKeyDown={onKeyDown}
          onBlur={() => moveTo(null, 0)}
        >
          <canvas ref={cells} />
          <canvas ref={marks} class="overlay" />
        </div>
      </div>
      <p class="read-out" data-testid="read-out">
        {text}
      </p>
      <span class="visually-hidden" aria-live="polite">
        {spoken}
      </span>
      {props.loggedSteps > steps.length && (
        <p class="muted note">
          {plural(props.loggedSteps, 'logged step')} in {plural(steps.length, 'column')}: a column
          keeps its most extreme step.
        </p>
      )}
    </>
  );
}
