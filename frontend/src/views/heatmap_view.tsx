/** Layers x steps: the overview, and the way into a layer. */

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { pointIn, prepareCanvas } from '../charts/canvas';
import { BRACKET_WIDTH, columnAt, layoutHeatmap, rowAt } from '../charts/heatmap_layout';
import { bracketRoom, paintHeatmap, paintMarks } from '../charts/heatmap_paint';
import { paletteOf } from '../charts/palette';
import { listenToDrag } from '../charts/zoom_drag';
import { NOT_RECORDED, describeCode } from '../data/codes';
import type { Heatmap } from '../data/codes';
import { formatInteger, plural } from '../data/format';
import { kindOf } from '../data/kinds';
import type { Arrangement } from '../data/rows';
import { formatStep, nearestIndex } from '../data/steps';
import { useWidth } from '../hooks/size';
import type { Shared } from './shared';

interface Props extends Shared {
  arrangement: Arrangement;
  maxHeight: number;
  selected: string | null;
  highlighted: readonly string[];
  /** Half-width of the neutral colours, decades. */
  dead?: number | undefined;
  describe?: (code: number) => string;
  onOpen: (layer: string, step: number | null) => void;
  onFold: (module: string) => void;
}

const PAGE_ROWS = 20;
const HINT = 'Point at a cell for its value, click for the layer, drag to zoom. ? lists the keys.';

function clamp(value: number, count: number): number {
  return Math.max(0, Math.min(count - 1, value));
}

/** "dense_0 · step 47 · 1/4,200 of … · vanishing since step 3". */
export function readOut(
  data: Heatmap,
  row: number,
  column: number,
  describe = describeCode,
): string {
  const step = data.steps[column] ?? 0;
  const code = data.codes[row * data.steps.length + column] ?? NOT_RECORDED;
  const sick = data.sick
    .filter(([at, , since, last]) => at === row && step >= since && step <= last)
    .map(([, kind, since]) => `${kindOf(kind).word} since step ${formatInteger(since)}`);
  const parts = [data.layers[row] ?? '', formatStep(step), describe(code), ...new Set(sick)];
  return parts.join(' · ');
}

export function HeatmapView(props: Props) {
  const { arrangement, axis, left, maxHeight, theme, crosshair, selected, highlighted } = props;
  const { onOpen, onFold, dead, describe = describeCode } = props;
  const { heatmap: data, rows, brackets, rowOf } = arrangement;
  const { steps, layers } = data;
  const [host, width] = useWidth<HTMLDivElement>();
  const area = useRef<HTMLDivElement>(null);
  const cells = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  const [text, setText] = useState(HINT);
  const [spoken, setSpoken] = useState('');
  const row = useRef<number | null>(null);
  const palette = paletteOf(theme);
  const layout = useMemo(
    () => layoutHeatmap(layers.length, width, maxHeight, left, axis),
    [layers.length, width, maxHeight, left, axis],
  );
  const latest = useRef({ layout, props });
  latest.current = { layout, props };
  const drawn = width > 0 && layers.length > 0;

  useEffect(() => {
    if (!drawn || !cells.current) return;
    const context = prepareCanvas(cells.current, layout.width, layout.height);
    if (context) paintHeatmap(context, layout, data, palette, { brackets, dead });
  }, [drawn, layout, data, palette, brackets, dead]);
  useEffect(() => {
    if (!area.current) return undefined;
    return listenToDrag(area.current, () => {
      const { layout: now, props: given } = latest.current;
      return { left: now.left, width: now.cellsWidth, axis: now.axis, zoomTo: given.zoomTo };
    });
  }, []);

  const repaint = useRef(() => {});
  useEffect(() => {
    if (!drawn || !marks.current) return undefined;
    const context = prepareCanvas(marks.current, layout.width, layout.height);
    if (!context) return undefined;
    const lit = highlighted.flatMap((path) => rowOf.get(path) ?? []);
    repaint.current = () => {
      const step = crosshair.get();
      const at = row.current !== null && row.current < layers.length ? row.current : null;
      const selectedRow = (selected === null ? null : rowOf.get(selected)) ?? null;
      paintMarks(
        context,
        layout,
        layers,
        { row: at, step, selected: selectedRow, highlighted: lit },
        palette,
      );
      setText(
        step !== null && at !== null
          ? readOut(data, at, nearestIndex(steps, step), describe)
          : HINT,
      );
    };
    repaint.current();
    return crosshair.subscribe(() => repaint.current());
  }, [drawn, layout, data, palette, selected, highlighted, crosshair, rowOf, describe]);

  const moveTo = (newRow: number | null, column: number): void => {
    const changed = newRow !== row.current;
    row.current = newRow;
    const before = crosshair.get();
    crosshair.set(newRow === null ? null : (steps[column] ?? null));
    if (changed && crosshair.get() === before) repaint.current();
  };

  /** Row, column and bracket under the pointer. */
  const under = (event: MouseEvent) => {
    const [x, y] = pointIn(event);
    const at = rowAt(layout, y);
    const level = Math.floor(x / BRACKET_WIDTH);
    const bracket =
      x < bracketRoom(brackets)
        ? brackets.find((one) => one.level === level && at >= one.from && at < one.to)
        : undefined;
    return { at, column: columnAt(layout, steps, x), bracket };
  };

  const onPointerMove = (event: MouseEvent): void => {
    const { at, column, bracket } = under(event);
    (event.currentTarget as HTMLElement).title = bracket
      ? `${bracket.folded ? 'Unfold' : 'Fold'} ${bracket.module}`
      : '';
    moveTo(at < 0 ? null : at, column);
  };

  const enter = (at: number, column: number): void => {
    const entered = rows[at];
    if (!entered) return;
    if (entered.folded) onFold(entered.path);
    else onOpen(entered.path, steps[column] ?? null);
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = row.current ?? (selected === null ? 0 : (rowOf.get(selected) ?? 0));
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
    const module = rows[at]?.modules.at(-1);
    if (event.key === 'Enter' || event.key === ' ') {
      enter(at, column);
    } else if (event.key === 'f' && module !== undefined) {
      onFold(module);
    } else if (target) {
      // The first key shows where the cursor is before it moves.
      const [toRow, toColumn] = row.current === null ? [at, column] : target;
      const newRow = clamp(toRow, layers.length);
      const newColumn = clamp(toColumn, steps.length);
      moveTo(newRow, newColumn);
      setSpoken(readOut(data, newRow, newColumn, describe));
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <>
      <div ref={host}>
        <div
          ref={area}
          class="heatmap"
          role="application"
          aria-roledescription="heatmap"
          aria-label={`Gradient level of ${plural(layers.length, 'row')} over ${plural(steps.length, 'step')}. Arrow keys move, Enter opens the layer, F folds its module. The findings say the same in words.`}
          tabIndex={0}
          data-testid="heatmap"
          {...(drawn ? { 'data-rows': layers.length, 'data-columns': steps.length } : {})}
          style={{ height: `${layout.height}px` }}
          onMouseMove={onPointerMove}
          onMouseLeave={() => moveTo(null, 0)}
          onClick={(event) => {
            const { at, column, bracket } = under(event);
            if (bracket) onFold(bracket.module);
            else enter(at, column);
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
    </>
  );
}
