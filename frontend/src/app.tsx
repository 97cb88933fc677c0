/** The dashboard: what is loaded when, and what the panels share. */

import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { countTensorboardRuns, getHeatmap, getLayer, getProblems, getRun, getScalars } from './api';
import { measureText } from './charts/canvas';
import type { Finding } from './contract';
import type { Onset } from './charts/line_chart';
import { paletteOf } from './charts/palette';
import { createCrosshair } from './data/crosshair';
import { groupScalars } from './data/scalars';
import type { ScalarGroup } from './data/scalars';
import { domainOf } from './data/steps';
import { useLiveRuns } from './hooks/live';
import { useResource } from './hooks/resource';
import { useSelection } from './hooks/selection';
import { useViewportHeight } from './hooks/size';
import { useTheme } from './hooks/theme';
import { DetailPanel } from './views/detail_panel';
import { EmptyState } from './views/empty_state';
import { ErrorBoundary } from './views/error_boundary';
import { ErrorPanel } from './views/error_panel';
import { Findings } from './views/findings';
import { HeatmapView } from './views/heatmap_view';
import { HeatmapSwatches } from './views/legend';
import { LOSS_HEIGHT, LossPanel } from './views/loss_panel';
import { Panel } from './views/panel';
import { Problems } from './views/problems';
import { TopBar } from './views/top_bar';
import { VerdictBar } from './views/verdict_bar';

const LABELS = { least: 64, most: 190, padding: 14 };
/** What the bars, the loss and the panels' frames take from the window's height. */
const AROUND_HEATMAP = 400;
const AROUND_WITH_DETAIL = 684;
const HEATMAP_HEIGHT = { least: 172, most: 720 };
const NO_LAYERS: readonly string[] = [];
const NO_ONSETS: readonly Onset[] = [];
const NO_FINDINGS: readonly Finding[] = [];
const NO_GROUPS: readonly ScalarGroup[] = [];

export function App() {
  const theme = useTheme();
  const viewport = useViewportHeight();
  const crosshair = useMemo(createCrosshair, []);
  const { runs, reloads, updated } = useLiveRuns();
  const { run: name, layer, selectRun, selectLayer } = useSelection(runs.data);
  const [filter, setFilter] = useState<string | null>(null);
  const [pointed, setPointed] = useState(NO_LAYERS);

  // A run's data is asked again only when its entry in the list of runs has changed.
  const summary = runs.data?.find((run) => run.name === name);
  const version = `${reloads} ${JSON.stringify(summary)}`;
  const run = useResource(name, version, (signal) => getRun(name ?? '', signal));
  // The verdict comes first; the pictures follow, also where the verdict failed.
  const ready = run.data || run.error ? name : null;
  const hasSteps = summary?.verdict !== 'no data';
  const heatmap = useResource(hasSteps ? ready : null, version, (signal) =>
    getHeatmap(name ?? '', signal),
  );
  const scalars = useResource(hasSteps ? ready : null, version, (signal) =>
    getScalars(name ?? '', signal),
  );
  const detail = useResource(
    layer === null ? null : JSON.stringify([name, layer]),
    version,
    (signal) => getLayer(name ?? '', layer ?? '', signal),
  );
  const nothing = runs.data?.length === 0;
  // The check of the files waits until the first pictures are there: it reads all of them.
  const painted = useRef(false);
  painted.current ||= Boolean(nothing || (ready && !hasSteps) || heatmap.data || heatmap.error);
  const problems = useResource(painted.current ? 'problems' : null, reloads, getProblems);
  const scanned = useResource(nothing ? 'scanned' : null, updated ?? 0, countTensorboardRuns);

  const groups = useMemo(
    () => (scalars.data ? groupScalars(scalars.data) : NO_GROUPS),
    [scalars.data],
  );
  const domain = useMemo(
    () =>
      domainOf(heatmap.data?.steps ?? [], ...groups.flatMap((g) => g.lines.map((l) => l.steps))),
    [heatmap.data, groups],
  );
  const left = useMemo(() => {
    const widths = (heatmap.data?.layers ?? NO_LAYERS).map(measureText);
    return Math.ceil(
      Math.max(LABELS.least, Math.min(LABELS.most, Math.max(0, ...widths) + LABELS.padding)),
    );
  }, [heatmap.data]);
  const onsets = useMemo((): readonly Onset[] => {
    const active = run.data?.findings.filter((finding) => finding.active) ?? [];
    return active.length > 0
      ? active.map(({ since_step: step, kind }) => ({ step, kind }))
      : NO_ONSETS;
  }, [run.data]);

  const openLayer = useCallback(
    (path: string | null) => {
      const within = document.activeElement?.closest('.detail');
      selectLayer(path);
      // Focus must not vanish with the dock that held it.
      if (path === null && within) document.querySelector<HTMLElement>('.heatmap')?.focus();
    },
    [selectLayer],
  );
  useEffect(() => {
    if (layer === null) return undefined;
    const close = (event: KeyboardEvent): void => {
      if (event.key === 'Escape') openLayer(null);
    };
    document.addEventListener('keydown', close);
    return () => document.removeEventListener('keydown', close);
  }, [layer, openLayer]);

  if (!runs.data) {
    return (
      <div class="app">
        {runs.error ? (
          <div class="lonely">
            <ErrorPanel what="The list of runs" error={runs.error} onRetry={runs.retry} />
          </div>
        ) : (
          <div class="lonely" aria-busy="true" aria-label="Loading">
            <div class="skeleton" style={{ height: '28px', width: '40%' }} />
            <div class="skeleton" style={{ height: '64px' }} />
            <div class="skeleton" style={{ height: '320px' }} />
          </div>
        )}
      </div>
    );
  }
  const allProblems = [
    ...(run.data?.problems ?? []),
    ...(problems.data ?? []),
    ...(problems.error ? [`The files were not checked: ${problems.error.message}`] : []),
  ];
  if (nothing) {
    return (
      <div class="app">
        <Problems problems={allProblems} />
        <EmptyState title="No gradients recorded yet" scanned={scanned.data} />
      </div>
    );
  }

  const heatmapHeight = Math.max(
    HEATMAP_HEIGHT.least,
    Math.min(
      HEATMAP_HEIGHT.most,
      viewport - (layer === null ? AROUND_HEATMAP : AROUND_WITH_DETAIL),
    ),
  );
  const shared = { domain, left, theme, crosshair };
  return (
    <div class="app">
      <TopBar
        runs={runs.data}
        run={run.data}
        selected={name}
        updated={updated}
        onSelect={(next) => {
          setFilter(null);
          setPointed(NO_LAYERS);
          selectRun(next);
        }}
      />
      {runs.error && <ErrorPanel what="News of the runs" error={runs.error} onRetry={runs.retry} />}
      {run.error && (
        <ErrorPanel
          what="The verdict"
          error={run.error}
          stale={run.data !== null}
          onRetry={run.retry}
        />
      )}
      {run.data ? (
        <ErrorBoundary what="The verdict">
          <VerdictBar run={run.data} filter={filter} onFilter={setFilter} />
        </ErrorBoundary>
      ) : (
        !run.error && <div class="verdict skeleton" style={{ height: '58px' }} />
      )}
      <Problems problems={allProblems} />
      {!hasSteps ? (
        <EmptyState title={`No step of ${name ?? 'this run'} is logged yet`} scanned={null} />
      ) : (
        <main class="columns">
          <div class="left">
            <div class="pictures">
              <Panel
                title="Gradients of all layers over training steps"
                what="The heatmap"
                resource={heatmap}
                skeletonHeight={Math.min(heatmapHeight, 360)}
                aside={
                  <>
                    <span class="muted">first layer at the top</span>
                    <span class="spacer" />
                    <HeatmapSwatches palette={paletteOf(theme)} />
                  </>
                }
              >
                {(data) => (
                  <HeatmapView
                    data={data}
                    maxHeight={heatmapHeight}
                    selected={layer}
                    highlighted={pointed}
                    loggedSteps={run.data?.steps.logged ?? 0}
                    onOpen={openLayer}
                    {...shared}
                  />
                )}
              </Panel>
              <Panel
                title="Loss and training"
                quiet
                what="The loss"
                resource={scalars}
                skeletonHeight={LOSS_HEIGHT + 40}
                testid="loss-panel"
              >
                {() => <LossPanel groups={groups} onsets={onsets} {...shared} />}
              </Panel>
            </div>
            {layer !== null && (
              <DetailPanel
                path={layer}
                layer={run.data?.layers.find(({ path }) => path === layer)}
                order={heatmap.data?.layers ?? NO_LAYERS}
                resource={detail}
                findings={run.data?.findings ?? NO_FINDINGS}
                onSelect={openLayer}
                {...shared}
              />
            )}
          </div>
          <aside class="findings" aria-label="Findings">
            {run.data ? (
              <ErrorBoundary what="The findings">
                <Findings
                  run={run.data}
                  filter={filter}
                  selected={layer}
                  onOpen={openLayer}
                  onPoint={setPointed}
                  onClearFilter={() => setFilter(null)}
                />
              </ErrorBoundary>
            ) : (
              !run.error && <div class="skeleton" style={{ height: '360px' }} />
            )}
          </aside>
        </main>
      )}
    </div>
  );
}
