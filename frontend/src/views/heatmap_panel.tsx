/** The heatmap with what belongs to it: order, folds, filter, zoom, ratio to another run. */

import { useMemo } from 'preact/hooks';
import { paletteOf } from '../charts/palette';
import { describeCode, describeRatio, levelOf } from '../data/codes';
import type { Heatmap } from '../data/codes';
import type { Cell } from '../data/csv';
import { formatInteger, plural } from '../data/format';
import { ratioOf } from '../data/norms';
import type { Norms } from '../data/norms';
import { arrange, foldable, healthyModules, worstFirst } from '../data/rows';
import type { Arrangement } from '../data/rows';
import { fileName } from '../host/save';
import type { View } from '../host/location';
import type { Resource } from '../hooks/resource';
import { Choice } from './choice';
import { ErrorPanel } from './error_panel';
import { Exports } from './exports';
import { HeatmapView } from './heatmap_view';
import { HeatmapLegend, HeatmapSwatches } from './legend';
import { Panel } from './panel';
import type { Shared } from './shared';

interface Props extends Shared {
  resource: Resource<Heatmap>;
  norms: Resource<(Norms | null)[]>;
  names: readonly string[];
  view: View;
  set: (change: Partial<View>) => void;
  passes: (path: string) => boolean;
  pinned: ReadonlySet<string>;
  isMuted: (layer: string, kind: string) => boolean;
  highlighted: readonly string[];
  maxHeight: number;
  loggedSteps: number;
  onOpen: (layer: string, step: number | null) => void;
}

/** More rows than this are folded into modules at first. */
const MOST_ROWS = 1000;
/** Runs are compared more closely than a layer with its healthy self. */
const RATIO_DEAD_BAND = 0.1;
const UNMATCHED_SHOWN = 200;
const NOTHING: readonly string[] = [];

/** Stand for the healthy modules, always or in runs of many layers: the address stays short. */
export const [HEALTHY_FOLDED, LARGE_FOLDED] = ['+', '*'];
/** Before a module that is open all the same. */
const OPEN = '-';

/** The modules that `fold` says are folded. */
export function foldedIn(fold: readonly string[], heatmap: Heatmap | null): string[] {
  const large = (heatmap?.layers.length ?? 0) > MOST_ROWS;
  const healthy = fold.includes(HEALTHY_FOLDED) || (fold.includes(LARGE_FOLDED) && large);
  const named = fold.filter((one) => one !== HEALTHY_FOLDED && one !== LARGE_FOLDED);
  const all = [...(healthy && heatmap ? healthyModules(heatmap) : []), ...named];
  return all.filter((one) => !one.startsWith(OPEN) && !fold.includes(OPEN + one));
}

/** `fold` with `module` the other way round. */
export function toggled(fold: readonly string[], module: string, isFolded: boolean): string[] {
  const rest = fold.filter((one) => one !== module && one !== OPEN + module);
  // What was folded by name is open again without a word.
  if (isFolded && fold.includes(module)) return rest;
  return [...rest, isFolded ? OPEN + module : module];
}

const describe = (code: number): Cell => levelOf(code) ?? describeCode(code);

function table({ heatmap }: Arrangement, word: string): Cell[][] {
  const { steps, times, layers, codes } = heatmap;
  return [
    ['step', 'wall_time', ...layers.map((layer) => `${word} ${layer}`)],
    ...steps.map((step, i) => [
      step,
      times[i],
      ...layers.map((_, row) => describe(codes[row * steps.length + i] ?? 0)),
    ]),
  ];
}

function Unmatched({ run, layers }: { run: string; layers: readonly string[] }) {
  if (layers.length === 0) return null;
  return (
    <details class="note" data-testid="unmatched">
      <summary>
        {plural(layers.length, 'layer')} only in {run}
      </summary>
      <ul>
        {layers.slice(0, UNMATCHED_SHOWN).map((path) => (
          <li key={path}>{path}</li>
        ))}
      </ul>
      {layers.length > UNMATCHED_SHOWN && <p>and more</p>}
    </details>
  );
}

export function HeatmapPanel(props: Props) {
  const { resource, norms, names, view, set, passes, pinned, isMuted, theme, maxHeight } = props;
  const palette = paletteOf(theme);
  const { data } = resource;
  const against = view.ratio === null ? -1 : names.indexOf(view.ratio);
  const comparison = useMemo(() => {
    const [a, b] = [norms.data?.[0], norms.data?.[against]];
    return against > 0 && a && b ? ratioOf(a, b) : null;
  }, [norms.data, against]);
  const folded = foldedIn(view.fold, data);
  // Sorted when asked for: rows that trade places while a run grows could not be followed.
  const worst = useMemo(
    () => (view.order === 'worst' && data ? worstFirst(data) : null),
    [view.order, view.run, data?.layers.length],
  );
  const source = comparison?.heatmap ?? data;
  const arrangement = useMemo(
    () => source && arrange(source, { passes, pinned, folded: new Set(folded), worst, isMuted }),
    [source, passes, pinned, folded.join('\n'), worst, isMuted],
  );
  const modules = useMemo(() => foldable(data?.layers ?? NOTHING), [data?.layers.join('\n')]);
  const fold = (module: string): void =>
    set({ fold: toggled(view.fold, module, folded.includes(module)) });
  const total = source?.layers.length ?? 0;
  const shown = arrangement?.rowOf.size ?? 0;
  const isRatio = comparison !== null;
  const rowsShown = arrangement?.rows.length ?? 0;
  let crowded = '';
  if (rowsShown < shown) {
    crowded = `Modules are folded: ${plural(rowsShown, 'row')} for ${plural(shown, 'layer')}. A folded row shows its most extreme layer; click it to unfold.`;
  } else if (rowsShown > maxHeight) {
    crowded = `${plural(rowsShown, 'layer')} share ${formatInteger(maxHeight)} pixels: a pixel shows its most extreme layer. Filter or fold to see fewer.`;
  }
  const columns = source?.steps.length ?? 0;
  const below = [
    shown < total ? `${formatInteger(shown)} of ${plural(total, 'layer')} pass the filter.` : '',
    props.loggedSteps > columns
      ? `${plural(props.loggedSteps, 'logged step')} in ${plural(columns, 'column')}: a column keeps its most extreme step.`
      : '',
  ]
    .filter(Boolean)
    .join(' ');
  const title = isRatio
    ? `Gradient norm, A: ${names[0]} / B: ${view.ratio}`
    : 'Gradients of all layers over training steps';
  return (
    <Panel
      title={title}
      what="The heatmap"
      resource={resource}
      skeletonHeight={Math.min(maxHeight, 360)}
      testid="heatmap-panel"
      aside={
        <>
          {names.length > 1 && (
            <Choice
              label="What the colours show"
              testid="ratio"
              value={view.ratio ?? ''}
              options={[
                ['', 'level'],
                ...names.slice(1).map((name) => [name, `ratio to ${name}`] as const),
              ]}
              onChange={(ratio) => set({ ratio: ratio || null })}
            />
          )}
          <Choice
            label="Order of the layers"
            testid="order"
            value={view.order}
            options={[
              ['forward', 'forward order'],
              ['worst', 'worst first'],
            ]}
            onChange={(order) => set({ order })}
          />
          {modules.size > 0 && data && (
            <button
              type="button"
              data-testid="fold"
              onClick={() => set({ fold: folded.length > 0 ? [] : [HEALTHY_FOLDED] })}
            >
              {folded.length > 0 ? 'Unfold all' : 'Fold healthy'}
            </button>
          )}
          {view.zoom && (
            <button type="button" data-testid="zoom-out" onClick={() => props.zoomTo(null)}>
              All steps
            </button>
          )}
          <span class="spacer" />
          {arrangement && (
            <Exports
              name={fileName(view.run, isRatio ? 'ratio' : 'levels')}
              what="the heatmap"
              table={() => table(arrangement, isRatio ? 'log10(A/B)' : 'decades')}
            />
          )}
        </>
      }
    >
      {() =>
        arrangement && (
          <>
            {against > 0 && !comparison && norms.error && (
              <ErrorPanel what="The ratio" error={norms.error} onRetry={norms.retry} />
            )}
            {against > 0 && norms.data && !comparison && (
              <p class="banner" role="status">
                There is nothing to compare with {view.ratio}: its gradient norms are not available.
              </p>
            )}
            {crowded && (
              <p class="banner plain note" data-testid="crowded">
                {crowded}
              </p>
            )}
            <div class="legends">
              <HeatmapLegend
                palette={palette}
                {...(isRatio
                  ? { low: 'B is larger', middle: 'equal', high: 'A is larger' }
                  : {
                      low: 'of the most sensitive layer',
                      middle: 'healthy',
                      high: 'its own start',
                    })}
                dead={isRatio ? RATIO_DEAD_BAND : undefined}
              />
              <HeatmapSwatches palette={palette} />
            </div>
            {shown === 0 ? (
              <p class="banner" role="status">
                No layer matches the filter.
              </p>
            ) : (
              <HeatmapView
                {...props}
                arrangement={arrangement}
                selected={view.layer}
                dead={isRatio ? RATIO_DEAD_BAND : undefined}
                describe={isRatio ? describeRatio : describeCode}
                onFold={fold}
              />
            )}
            {below && (
              <p class="muted note" data-testid="heatmap-note">
                {below}
              </p>
            )}
            {comparison && (
              <>
                <Unmatched run={names[0] ?? ''} layers={comparison.onlyA} />
                <Unmatched run={view.ratio ?? ''} layers={comparison.onlyB} />
              </>
            )}
          </>
        )
      }
    </Panel>
  );
}
