/** One layer: its gradient's norm, its updates, and one of its pictures. */

import { useMemo } from 'preact/hooks';
import type { Onset } from '../charts/line_paint';
import type { Finding, LayerReply, LayerVariable, Series } from '../contract';
import { stepTable } from '../data/csv';
import { formatInteger, plural } from '../data/format';
import { histogramsOf } from '../data/histogram';
import { probeLines } from '../data/probe';
import { DEAD_BAND_DECADES } from '../data/codes';
import type { Norms } from '../data/norms';
import { fileName } from '../host/save';
import type { View } from '../host/location';
import type { Resource } from '../hooks/resource';
import { Choice } from './choice';
import { ErrorPanel } from './error_panel';
import { Exports } from './exports';
import { HistogramView } from './histogram_view';
import { LineChartView } from './line_chart_view';
import { MapView } from './map_view';
import { ProfileView } from './profile_view';
import type { Shared } from './shared';

export interface DetailContext extends Shared {
  /** Runs that are looked at: the own one, then those compared with. */
  names: readonly string[];
  /** The layer in the runs compared with; null where it has none. */
  others: readonly (LayerReply | null)[];
  norms: Resource<(Norms | null)[]>;
  findings: readonly Finding[];
  view: View;
  set: (change: Partial<View>) => void;
  onOpen: (layer: string | null) => void;
}

interface Props extends DetailContext {
  reply: LayerReply;
  variable: LayerVariable | undefined;
}

const QUANTITIES: readonly (readonly [View['of'], string])[] = [
  ['gradients', '|gradient|'],
  ['weights', '|weight|'],
  ['activations', '|output|'],
];
/** Why there is no histogram. */
export function noHistogram(of: View['of'], { probe }: Pick<LayerReply, 'probe'>): string {
  const none = 'No histogram on record';
  if (of === 'gradients') return `${none} yet.`;
  if (of === 'weights') return `${none} of the weights.`;
  if (!probe) {
    return `${none}: no probe saw this output. Probes need model.fit, not on JAX, one device.`;
  }
  return probe.output_mean === null
    ? `${none}: reading a sum or product could make the probed step round otherwise.`
    : `${none}: probes had histograms=False or an older version.`;
}
/** Logged steps that say what is usual for a layer, as in the heatmap. */
const EARLY_STEPS = 20;
/** Rule of thumb: an update changes a weight by a thousandth, give or take a decade. */
const HEALTHY_RATIO = [1e-4, 1e-2] as const;

const CHART_HEIGHT = 86;
const HISTOGRAM_HEIGHT = 176;
const MAP_HEIGHT = 236;
/** Of all pictures with their captions. */
export const DETAIL_HEIGHT = 252;
const LEFT = 48;
const RIGHT = 24;

/** The norm is of the finite elements alone: of a gradient of NaN it would say zero. */
function finiteNorm({ norm, nan_count: nan, inf_count: inf }: LayerVariable): Series {
  return norm.map((value, i) => (nan[i] || inf[i] ? null : value));
}

/** What a log axis cannot show, in words. */
function gapWords(variable: LayerVariable, broken: number): string {
  const norm = finiteNorm(variable);
  const zeros = norm.filter((value) => value === 0).length;
  const missing = norm.filter((value) => value === null).length - broken;
  const parts = [
    zeros > 0 ? `gradient exactly zero at ${plural(zeros, 'logged step')}` : '',
    broken > 0 ? `NaN or Inf at ${plural(broken, 'logged step')} (ticks at the bottom)` : '',
    missing > 0 ? `no gradient at ${plural(missing, 'logged step')}` : '',
  ].filter(Boolean);
  return parts.length > 0 ? `Not on the log axis: ${parts.join('; ')}.` : '';
}

/** The median of the first logged norms, and as much above and below as ordinary drift goes. */
export function healthyBand(norm: Series): [number, number] | null {
  const early = norm.filter((value): value is number => value !== null && value > 0);
  const sorted = early.slice(0, EARLY_STEPS).toSorted((a, b) => a - b);
  const median = sorted[sorted.length >> 1];
  const reach = 10 ** DEAD_BAND_DECADES;
  return median === undefined ? null : [median / reach, median * reach];
}

const EXPORTED = [
  'norm',
  'rms',
  'mean',
  'std',
  'max_abs',
  'zero_fraction',
  'nan_count',
  'inf_count',
  'weight_norm',
  'update_norm',
  'update_ratio',
] as const;

function LayerHistogram(props: Props & { variable: LayerVariable }) {
  const { reply, variable, view, set } = props;
  const { of } = view;
  const name = of === 'activations' ? reply.layer : variable.path;
  const [histograms, edges] = useMemo(() => {
    const source = reply[of === 'gradients' ? 'histograms' : of];
    return [histogramsOf(source, name), source?.log10_edges ?? []] as const;
  }, [reply, name, of]);
  const choice = (
    <Choice
      label="Histogram of what"
      testid="histogram-of"
      value={of}
      options={QUANTITIES}
      onChange={(next) => set({ of: next })}
    />
  );
  if (!histograms) {
    return (
      <div>
        <div class="histogram-head">{choice}</div>
        <p class="muted note" data-testid="no-histogram">
          {noHistogram(of, reply)}
        </p>
      </div>
    );
  }
  return (
    <HistogramView
      {...props}
      quantity={QUANTITIES.find(([name]) => name === of)?.[1] ?? of}
      histograms={histograms}
      edges={edges}
      height={HISTOGRAM_HEIGHT}
      mode={view.mode}
      fileName={fileName(view.run, `${name}_${of}`)}
      onMode={(mode) => set({ mode })}
    >
      {choice}
    </HistogramView>
  );
}

function Picture(props: Props & { variable: LayerVariable; file: string }) {
  const { reply, variable, view, norms, names, file } = props;
  const steps = useMemo(
    () =>
      (reply.maps ?? [])
        .filter((map) => map.variable === variable.path)
        .map(({ step }) => step)
        .toSorted((a, b) => a - b),
    [reply.maps, variable.path],
  );
  if (view.picture === 'map') {
    return (
      <MapView
        {...props}
        run={view.run ?? ''}
        variable={variable.path}
        steps={steps}
        height={MAP_HEIGHT}
        fileName={`${file}_map`}
      />
    );
  }
  if (view.picture === 'histogram') return <LayerHistogram {...props} />;
  if (norms.data?.[0]) {
    return (
      <ProfileView
        {...props}
        norms={norms.data}
        names={names}
        layer={reply.layer}
        height={HISTOGRAM_HEIGHT}
        fileName={fileName(view.run, 'profile')}
      />
    );
  }
  if (norms.error) {
    return <ErrorPanel what="The depth profile" error={norms.error} onRetry={norms.retry} />;
  }
  return <div class="skeleton" style={{ height: `${HISTOGRAM_HEIGHT}px` }} />;
}

export function LayerDetail(props: Props) {
  const { reply, variable, findings, names, others, view } = props;
  const { axis, theme, crosshair, smoothing, zoomTo, pinStep } = props;
  const { steps } = reply;
  const file = fileName(view.run, variable?.path ?? reply.layer);

  /** One line a run, of the variable of the same path. */
  const linesOf = (label: string, pick: (variable: LayerVariable) => Series) =>
    [reply, ...others].flatMap((one, i) => {
      const found = one?.variables.find(({ path }) => path === variable?.path);
      if (!one || !found) return [];
      const text = names.length > 1 ? `${names[i]}: ${label}` : label;
      return [{ label: text, steps: one.steps, values: pick(found), colour: i }];
    });
  const norm = useMemo(() => linesOf('‖g‖', finiteNorm), [reply, others, variable]);
  const ratio = useMemo(
    () => linesOf('‖ΔW‖/‖W‖', (one) => one.update_ratio),
    [reply, others, variable],
  );
  const onsets = useMemo(
    (): Onset[] =>
      findings
        .filter((finding) => finding.layers.includes(reply.layer))
        .map(({ kind, since_step: step }) => ({ kind, step })),
    [findings, reply.layer],
  );
  // A layer that was sick from the start has no healthy level of its own.
  const early = steps[EARLY_STEPS - 1] ?? Infinity;
  const wasWell = onsets.every(({ step }) => step > early);
  const band = useMemo(
    () => (variable && wasWell ? healthyBand(variable.norm) : null),
    [variable, wasWell],
  );
  const nonfinite = useMemo(
    () =>
      steps.filter(
        (_, i) => ((variable?.nan_count[i] ?? 0) || 0) + ((variable?.inf_count[i] ?? 0) || 0) > 0,
      ),
    [variable, steps],
  );
  if (!variable) return <p class="muted note">This layer has no trained variable on record.</p>;

  // Half as wide as the heatmap: its labels' width would leave little for the lines.
  const shared = { axis, left: LEFT, theme, crosshair, smoothing, zoomTo, pinStep };
  const gaps = gapWords(variable, nonfinite.length);
  const missing = others.flatMap((one, i) => {
    const has = one?.variables.some(({ path }) => path === variable.path);
    return has ? [] : [names[i + 1] ?? ''];
  });
  return (
    <>
      <div class="detail-columns">
        <div data-panel>
          <LineChartView
            title="Gradient norm"
            lines={norm}
            onsets={onsets}
            nonfinite={nonfinite}
            height={CHART_HEIGHT}
            labels={false}
            band={band}
            right={RIGHT}
            log
            {...shared}
          />
          <LineChartView
            title="Update ratio"
            lines={ratio}
            onsets={onsets}
            height={CHART_HEIGHT + 18}
            band={HEALTHY_RATIO}
            right={RIGHT}
            log
            {...shared}
          />
          <p class="muted note exports-line">
            <span>
              Green: usual ({band ? 'the norm’s own start; ' : ''}ratios of 1e−4 to 1e−2). {gaps}
            </span>
            {missing.length > 0 && <span>Not in {missing.join(', ')}.</span>}
            <span class="spacer" />
            <Exports
              name={file}
              what="norm and update ratio"
              table={() =>
                stepTable(
                  [{ label: 'wall_time', steps, values: reply.wall_times }].concat(
                    EXPORTED.map((label) => ({
                      label,
                      steps,
                      values: [...variable[label]] as number[],
                    })),
                  ),
                )
              }
            />
          </p>
        </div>
        <div data-panel>
          <Picture {...props} variable={variable} file={file} />
        </div>
      </div>
      {reply.probe && (
        <dl class="inside note" data-testid="probe">
          <dt class="muted">Inside the layer at step {formatInteger(reply.probe.step)}</dt>
          {probeLines(reply.probe).map(({ label, value }) => (
            <div key={label}>
              <dt class="muted">{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </>
  );
}
