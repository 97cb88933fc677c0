/** The gradient of one variable as an image, at the recorded step next to the crosshair's. */

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { getMap } from '../api';
import { pointIn, prepareCanvas } from '../charts/canvas';
import { layoutMap, paintMap } from '../charts/map_paint';
import { paletteOf } from '../charts/palette';
import { formatNumber } from '../data/format';
import { axisName, firstChoice, sliceMap, valueOf } from '../data/map';
import type { GradientMap, MapChoice } from '../data/map';
import { formatStep, nearestIndex } from '../data/steps';
import type { Theme } from '../host/theme';
import { useResource } from '../hooks/resource';
import { useWidth } from '../hooks/size';
import { Choice } from './choice';
import { ErrorPanel } from './error_panel';
import { Exports } from './exports';
import type { Shared } from './shared';

interface PictureProps {
  map: GradientMap;
  height: number;
  theme: Theme;
  fileName: string;
}

const MOST_CONTRAST = 100;
const SETTLE_MS = 120;
const HEAD = 26;

function Picture({ map, height, theme, fileName }: PictureProps) {
  const { sizes, variable } = map;
  const rank = sizes.length;
  const [chosen, setChosen] = useState<MapChoice | null>(null);
  const [contrast, setContrast] = useState(1);
  const [pointed, setPointed] = useState<[number, number] | null>(null);
  const [host, width] = useWidth<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const choice = chosen && chosen.at.length === rank ? chosen : firstChoice(map);
  const palette = paletteOf(theme);
  const codes = useMemo(() => sliceMap(map, choice), [map, choice.rows, choice.columns, choice.at]);
  const columns = sizes[choice.columns] ?? 1;
  const rows = sizes[choice.rows] ?? 1;
  const others = sizes
    .map((_, axis) => axis)
    .filter((a) => a !== choice.rows && a !== choice.columns);
  const room = height - HEAD * (others.length > 0 ? 2 : 1);
  const layout = useMemo(() => layoutMap(rows, columns, width, room), [rows, columns, width, room]);
  useEffect(() => {
    const context = width > 0 && canvas.current && prepareCanvas(canvas.current, width, room);
    if (!context) return;
    const end = map.scale / contrast;
    const ends = [formatNumber(-end), formatNumber(end)] as const;
    paintMap(context, layout, codes, columns, 1 / contrast, ends, palette);
  }, [layout, codes, columns, contrast, palette, map, width, room]);

  const axes = sizes.map(
    (size, axis) => [String(axis), `${axisName(map, axis)} (${size})`] as const,
  );
  /** An axis that the other one shows already trades places with it. */
  const pick = (which: 'rows' | 'columns', axis: number): void => {
    const other = which === 'rows' ? 'columns' : 'rows';
    const swapped = choice[other] === axis ? choice[which] : choice[other];
    setChosen({ ...choice, [which]: axis, [other]: swapped });
  };
  const value = pointed ? valueOf(map, codes[pointed[0] * columns + pointed[1]] ?? 0) : null;
  return (
    <div ref={host}>
      <div class="histogram-head">
        <label>
          rows{' '}
          <Choice
            label="Axis of the rows"
            value={String(choice.rows)}
            options={axes}
            onChange={(axis) => pick('rows', Number(axis))}
          />
        </label>
        <label>
          columns{' '}
          <Choice
            label="Axis of the columns"
            value={String(choice.columns)}
            options={axes}
            onChange={(axis) => pick('columns', Number(axis))}
          />
        </label>
        <label class="contrast" title="How much of the scale the colours cover">
          contrast
          <input
            type="range"
            min={0}
            max={Math.log10(MOST_CONTRAST)}
            step={0.1}
            value={Math.log10(contrast)}
            onInput={(event) => setContrast(10 ** Number(event.currentTarget.value))}
          />
        </label>
        {others.map((axis) => (
          <label key={axis}>
            {axisName(map, axis)} {choice.at[axis]}
            <input
              type="range"
              min={0}
              max={(sizes[axis] ?? 1) - 1}
              value={choice.at[axis]}
              onInput={(event) =>
                setChosen({
                  ...choice,
                  at: choice.at.with(axis, Number(event.currentTarget.value)),
                })
              }
            />
          </label>
        ))}
        <Exports
          name={fileName}
          what="the gradient map"
          table={() =>
            Array.from({ length: rows }, (_, row) =>
              Array.from({ length: columns }, (_, column) =>
                valueOf(map, codes[row * columns + column] ?? 0),
              ),
            )
          }
        />
      </div>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`Gradient of ${variable} at ${formatStep(map.step)}, ${rows} x ${columns}, largest magnitude ${formatNumber(map.scale)}`}
        style={{ height: `${room}px` }}
        onMouseMove={(event) => {
          const [x, y] = pointIn(event);
          const row = Math.floor((y / layout.height) * rows);
          const column = Math.floor((x / layout.width) * columns);
          setPointed(row < rows && column < columns ? [row, column] : null);
        }}
        onMouseLeave={() => setPointed(null)}
      />
      <p class="read-out note">
        {pointed
          ? `[${pointed.join(', ')}] ${value === null ? 'NaN or Inf' : formatNumber(value)}`
          : `shape ${map.shape.join(' × ')}${
              map.shape.join() === sizes.join()
                ? ''
                : `, shown as ${sizes.join(' × ')}: a cell shows its largest`
            }`}
      </p>
    </div>
  );
}

interface Props extends Pick<Shared, 'theme' | 'crosshair'> {
  run: string;
  variable: string;
  /** Steps with a map, sorted. */
  steps: readonly number[];
  height: number;
  fileName: string;
}

export function MapView({ run, variable, steps, height, theme, crosshair, fileName }: Props) {
  const [at, setAt] = useState(crosshair.get());
  useEffect(() => {
    let timer = 0;
    const stop = crosshair.subscribe((next) => {
      // A picture a move would be many requests for one that is looked at.
      window.clearTimeout(timer);
      timer = window.setTimeout(() => setAt(next), SETTLE_MS);
    });
    return () => {
      window.clearTimeout(timer);
      stop();
    };
  }, [crosshair]);
  const step = steps[at === null ? steps.length - 1 : nearestIndex(steps, at)] ?? null;
  const key = step === null ? null : JSON.stringify([run, variable, step]);
  const resource = useResource(key, 0, (signal) => getMap(run, variable, step ?? 0, signal));
  // The last picture stays while the next one is on its way.
  const shown = useRef<GradientMap | null>(null);
  if (resource.data) shown.current = resource.data;
  const map = shown.current?.variable === variable ? shown.current : null;
  if (step === null) {
    return (
      <p class="muted note" data-testid="map">
        No gradient map of this variable is on record.
      </p>
    );
  }
  return (
    <div class="histogram" data-testid="map">
      <div class="histogram-head">
        <strong>∂L/∂{variable.split('/').at(-1)}</strong>
        <span class="muted">
          {formatStep(map?.step ?? step)}
          {steps.length > 1 ? `, one of ${steps.length} on record` : ', the only one on record'}
        </span>
      </div>
      {resource.error && (
        <ErrorPanel what="The gradient map" error={resource.error} onRetry={resource.retry} />
      )}
      {map && <Picture map={map} height={height} theme={theme} fileName={fileName} />}
    </div>
  );
}
