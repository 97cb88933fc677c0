/** The dashboard: what is loaded when, and what the panels share. */

import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import {
  ApiError,
  countTensorboardRuns,
  getHeatmap,
  getLayer,
  getNorms,
  getProblems,
  getRun,
  getScalars,
  isFile,
} from './api';
import { measureText } from './charts/canvas';
import type { Onset } from './charts/line_paint';
import type { LayerReply, ScalarsReply } from './contract';
import { makeAxis } from './data/axis';
import type { Heatmap } from './data/codes';
import type { Norms } from './data/norms';
import { createCrosshair } from './data/crosshair';
import { stepTable } from './data/csv';
import { compileFilter } from './data/filter';
import { groupFindings } from './data/groups';
import type { Group } from './data/groups';
import { groupScalars } from './data/scalars';
import type { ScalarGroup } from './data/scalars';
import { domainOf } from './data/steps';
import { fileName } from './host/save';
import { focusFinding, useKeys } from './hooks/keys';
import { useLiveRuns } from './hooks/live';
import { useResource } from './hooks/resource';
import { useViewportHeight } from './hooks/size';
import { useTheme } from './hooks/theme';
import { ofRun, useView } from './hooks/view';
import { DetailPanel } from './views/detail_panel';
import { EmptyState } from './views/empty_state';
import { ErrorBoundary } from './views/error_boundary';
import { ErrorPanel } from './views/error_panel';
import { Exports } from './views/exports';
import { Findings } from './views/findings';
import { HeatmapPanel, foldedIn, toggled } from './views/heatmap_panel';
import { Help } from './views/help';
import { LOSS_HEIGHT, LossPanel } from './views/loss_panel';
import { Panel } from './views/panel';
import { Problems } from './views/problems';
import { TopBar } from './views/top_bar';
import { VerdictBar } from './views/verdict_bar';

const LABELS = { least: 64, most: 190, padding: 14 };
const BRACKETS = 24;
/** What the bars, the loss and the panels' frames take from the window's height. */
const AROUND_HEATMAP = 400;
const AROUND_WITH_DETAIL = 684;
const HEATMAP_HEIGHT = { least: 172, most: 720 };
const NOTHING: readonly never[] = [];
const ZOOM_STEP = 0.5;

/** Loads the same of several runs; one that has it not is null, and the others still show. */
async function ofAll<T>(
  names: readonly string[],
  held: readonly (T | null)[] | null,
  load: (name: string, held: T | null) => Promise<T | null>,
): Promise<(T | null)[]> {
  return Promise.all(
    names.map((name, i) =>
      load(name, held?.[i] ?? null).catch((error: unknown) => {
        if (error instanceof ApiError) return null;
        throw error;
      }),
    ),
  );
}

export function App() {
  const theme = useTheme();
  const viewport = useViewportHeight();
  const crosshair = useMemo(createCrosshair, []);
  const { runs, reloads, updated, paused, setPaused } = useLiveRuns();
  const { view, set } = useView(runs.data);
  const { run: name } = view;
  const [pointed, setPointed] = useState<readonly string[]>(NOTHING);
  const [help, setHelp] = useState(false);

  // A run's data is asked again only when its entry in the list of runs has changed.
  const summary = runs.data?.find((run) => run.name === name);
  const version = `${reloads} ${JSON.stringify(summary)}`;
  const compare = useMemo(
    () =>
      view.compare.filter((other) => other !== name && runs.data?.some((r) => r.name === other)),
    [view.compare.join('\n'), name, runs.data?.length],
  );
  const names = useMemo(() => (name === null ? [] : [name, ...compare]), [name, compare]);
  const versionOfAll = `${reloads} ${JSON.stringify(runs.data?.filter((r) => names.includes(r.name)))}`;
  const run = useResource(name, version, (signal) => getRun(name ?? '', signal));
  const order = useMemo(() => run.data?.layers.map(({ path }) => path) ?? [], [run.data]);
  const recorded = useMemo(
    () => new Set(run.data?.layers.filter((one) => one.recorded).map(({ path }) => path)),
    [run.data],
  );
  // A link may name a layer of another run: that is no layer here.
  const layer = run.data && !recorded.has(view.layer ?? '') ? null : view.layer;
  // The verdict comes first; the pictures follow, also where the verdict failed.
  const ready = run.data || run.error ? name : null;
  const hasSteps = summary?.verdict !== 'no data';
  const pictured = hasSteps ? ready : null;
  const heatmap = useResource<Heatmap>(pictured, version, (signal, held) =>
    getHeatmap(name ?? '', signal, held),
  );
  const scalars = useResource<ScalarsReply>(pictured, version, (signal, held) =>
    getScalars(name ?? '', signal, held),
  );
  const detail = useResource<LayerReply>(
    layer === null || ready === null ? null : JSON.stringify([name, layer]),
    version,
    (signal, held) => getLayer(name ?? '', layer ?? '', signal, held),
  );
  const others = compare.length > 0 && pictured !== null ? JSON.stringify(compare) : null;
  const otherScalars = useResource<(ScalarsReply | null)[]>(others, versionOfAll, (signal, held) =>
    ofAll(compare, held, (other, old) => getScalars(other, signal, old)),
  );
  const otherDetails = useResource<(LayerReply | null)[]>(
    others === null || layer === null ? null : JSON.stringify([compare, layer]),
    versionOfAll,
    (signal, held) =>
      ofAll(compare, held, async (other, old) => {
        // Asked only where it is: an answer of 404 is an error in the browser's console.
        const { layers: own } = await getRun(other, signal);
        const has = own.some(({ path, recorded: seen }) => seen && path === layer);
        return has ? getLayer(other, layer ?? '', signal, old) : null;
      }),
  );
  const wantsNorms = view.ratio !== null || (layer !== null && view.picture === 'profile');
  const norms = useResource<(Norms | null)[]>(
    pictured !== null && wantsNorms ? JSON.stringify(names) : null,
    versionOfAll,
    async (signal, held) => {
      const own = await getNorms(name ?? '', signal, held?.[0] ?? null);
      const rest = held?.slice(1) ?? null;
      return [own, ...(await ofAll(compare, rest, (other, old) => getNorms(other, signal, old)))];
    },
  );
  const nothing = runs.data?.length === 0;
  // The check of the files waits until the first pictures are there: it reads all of them.
  const painted = useRef(false);
  painted.current ||= Boolean(nothing || (ready && !hasSteps) || heatmap.data || heatmap.error);
  const problems = useResource(painted.current ? 'problems' : null, reloads, getProblems);
  const scanned = useResource(nothing ? 'scanned' : null, updated ?? 0, countTensorboardRuns);

  const scalarGroups = useMemo((): readonly ScalarGroup[] => {
    if (!scalars.data) return NOTHING;
    const rest = otherScalars.data ?? [];
    return groupScalars(
      [scalars.data, ...rest].flatMap((reply, i) =>
        reply ? [{ name: names[i] ?? '', series: reply.series }] : [],
      ),
    );
  }, [scalars.data, otherScalars.data, names]);
  const { steps: columns, times, layers } = heatmap.data ?? {};
  const axis = useMemo(() => {
    const all = domainOf(
      columns ?? [],
      ...scalarGroups.flatMap((group) => group.lines.map((line) => line.steps)),
    );
    const [min, max] = view.zoom ?? [];
    const domain = min === undefined || max === undefined ? all : { min, max };
    const clock = columns && times ? { steps: columns, times } : undefined;
    return makeAxis(domain, view.axis, clock);
  }, [columns, times, scalarGroups, view.zoom, view.axis]);
  const left = useMemo(() => {
    const paths = layers ?? [];
    const room = LABELS.padding + (paths.some((path) => path.includes('/')) ? BRACKETS : 0);
    const widest = Math.max(0, ...paths.map(measureText));
    return Math.ceil(Math.max(LABELS.least, Math.min(LABELS.most, widest + room)));
  }, [layers?.join('\n')]);
  const groups = useMemo((): readonly Group[] => {
    if (!run.data) return NOTHING;
    const { first, last } = run.data.steps;
    return groupFindings(run.data.findings, order, (last ?? 0) - (first ?? 0));
  }, [run.data, order]);
  const onsets = useMemo(
    (): readonly Onset[] =>
      groups.filter((group) => group.active).map(({ since: step, kind }) => ({ step, kind })),
    [groups],
  );
  const pinned = useMemo(
    () => new Set(groups.filter(({ id }) => view.pin.includes(id)).flatMap((g) => g.layers)),
    [groups, view.pin],
  );
  const isMuted = useMemo(() => {
    const marks = (some: readonly Group[]) =>
      new Set(some.flatMap((group) => group.layers.map((path) => `${group.kind}\n${path}`)));
    const loud = marks(groups.filter(({ id }) => !view.mute.includes(id)));
    const quiet = marks(groups.filter(({ id }) => view.mute.includes(id)));
    return (path: string, kind: string) => {
      const mark = `${kind}\n${path}`;
      return quiet.has(mark) && !loud.has(mark);
    };
  }, [groups, view.mute]);
  const filter = useMemo(
    () => compileFilter(view.filter, layers ?? NOTHING),
    [view.filter, layers],
  );
  const ofKind = useMemo(
    () =>
      view.kind === null
        ? NOTHING
        : groups.filter(({ kind }) => kind === view.kind).flatMap((group) => group.layers),
    [groups, view.kind],
  );

  useEffect(() => crosshair.pin(view.step), [crosshair, view.step]);
  const zoomTo = useCallback((zoom: number[] | null) => set({ zoom }), [set]);
  const pinStep = useCallback((step: number | null) => set({ step }), [set]);
  const openLayer = useCallback(
    (path: string | null, step?: number | null) => {
      const within = document.activeElement?.closest('.detail');
      set({ layer: path, ...(step === undefined ? {} : { step }) });
      // Focus must not vanish with the dock that held it.
      if (path === null && within) document.querySelector<HTMLElement>('.heatmap')?.focus();
    },
    [set],
  );
  const show = (group: Group): void => {
    const first = group.layers.find((path) => recorded.has(path));
    const around = foldedIn(view.fold, heatmap.data).filter((m) => first?.startsWith(`${m}/`));
    const [from = -Infinity, to = Infinity] = view.zoom ?? [];
    set({
      layer: first ?? null,
      step: group.since,
      fold: around.reduce((fold, module) => toggled(fold, module, true), view.fold),
      ...(first !== undefined && !filter.test(first) && !pinned.has(first) ? { filter: '' } : {}),
      ...(group.since < from || group.since > to ? { zoom: null } : {}),
    });
  };
  const zoomBy = (factor: number): void => {
    const middle = crosshair.get() ?? (axis.min + axis.max) / 2;
    const all = domainOf(columns ?? []);
    const min = Math.max(all.min, middle - (middle - axis.min) * factor);
    const max = Math.min(all.max, middle + (axis.max - middle) * factor);
    if (max - min < 1) return;
    set({ zoom: min <= all.min && max >= all.max ? null : [min, max] });
  };
  useKeys({
    Escape: () => {
      if (layer !== null) openLayer(null);
      else set({ step: null });
    },
    n: () => focusFinding(1),
    p: () => focusFinding(-1),
    '/': () => document.querySelector<HTMLElement>('.layer-filter input')?.focus(),
    '?': () => setHelp(true),
    '+': () => zoomBy(ZOOM_STEP),
    '-': () => zoomBy(1 / ZOOM_STEP),
    '0': () => zoomTo(null),
  });

  if (!runs.data) {
    return (
      <div class="app">
        {runs.error ? (
          <main class="lonely">
            <h1 class="visually-hidden">Gradients</h1>
            <ErrorPanel what="The list of runs" error={runs.error} onRetry={runs.retry} />
          </main>
        ) : (
          <div class="lonely" role="status" aria-busy="true" aria-label="Loading">
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
    ...(problems.error && !isFile ? [`The files were not checked: ${problems.error.message}`] : []),
  ];
  if (nothing) {
    return (
      <div class="app">
        <Problems problems={allProblems} />
        <EmptyState title="No gradients recorded yet" scanned={scanned.data} />
      </div>
    );
  }

  const around = layer === null ? AROUND_HEATMAP : AROUND_WITH_DETAIL;
  const heatmapHeight = Math.max(
    HEATMAP_HEIGHT.least,
    Math.min(HEATMAP_HEIGHT.most, viewport - around),
  );
  const shared = { axis, left, theme, crosshair, smoothing: view.smooth, zoomTo, pinStep };
  const still = isFile ? 'saved file' : paused ? 'paused' : runs.error ? 'no answer' : null;
  return (
    <div class="app">
      <TopBar
        runs={runs.data}
        run={run.data}
        ready={ready !== null}
        view={view}
        set={set}
        filterError={filter.error}
        updated={updated}
        still={still}
        paused={paused}
        onPause={isFile ? null : () => setPaused(!paused)}
        onSelect={(next) => {
          setPointed(NOTHING);
          set({
            ...ofRun(next),
            compare: view.compare.filter((other) => other !== next),
            ratio: null,
          });
        }}
        onHelp={() => setHelp(true)}
      />
      {help && <Help onClose={() => setHelp(false)} />}
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
          <VerdictBar
            run={run.data}
            filter={view.kind}
            muted={groups.filter(({ id }) => view.mute.includes(id)).length}
            onFilter={(kind) => set({ kind })}
          />
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
              <HeatmapPanel
                {...shared}
                resource={heatmap}
                norms={norms}
                names={names}
                view={view}
                set={set}
                passes={filter.test}
                pinned={pinned}
                isMuted={isMuted}
                highlighted={pointed.length > 0 ? pointed : ofKind}
                maxHeight={heatmapHeight}
                loggedSteps={run.data?.steps.logged ?? 0}
                onOpen={openLayer}
              />
              <Panel
                title="Loss and training"
                quiet
                what="The loss"
                resource={scalars}
                skeletonHeight={LOSS_HEIGHT + 40}
                testid="loss-panel"
              >
                {() => (
                  <>
                    <div class="corner">
                      <Exports
                        name={fileName(name, 'training')}
                        what="loss and training"
                        table={() => stepTable(scalarGroups.flatMap((group) => group.lines))}
                      />
                    </div>
                    <LossPanel groups={scalarGroups} onsets={onsets} {...shared} />
                  </>
                )}
              </Panel>
            </div>
            {layer !== null && (
              <DetailPanel
                {...shared}
                path={layer}
                layer={run.data?.layers.find(({ path }) => path === layer)}
                order={heatmap.data?.layers ?? NOTHING}
                resource={detail}
                names={names}
                others={otherDetails.data ?? NOTHING}
                norms={norms}
                findings={run.data?.findings ?? NOTHING}
                view={view}
                set={set}
                onOpen={openLayer}
              />
            )}
          </div>
          <aside class="findings" aria-label="Findings" data-panel>
            {run.data ? (
              <ErrorBoundary what="The findings">
                <Findings
                  run={run.data}
                  groups={groups}
                  kind={view.kind}
                  pins={view.pin}
                  mutes={view.mute}
                  order={order}
                  recorded={recorded}
                  selected={layer}
                  fileName={fileName(name, 'findings')}
                  onOpen={openLayer}
                  onShow={show}
                  onPoint={setPointed}
                  onToggle={(what, { id }) => {
                    const held = view[what];
                    const next = held.includes(id) ? held.filter((o) => o !== id) : [...held, id];
                    set({ [what]: next });
                  }}
                  onClearKind={() => set({ kind: null })}
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
