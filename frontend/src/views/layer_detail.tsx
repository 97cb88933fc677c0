/** One layer: its gradient's norm, its updates, and how its gradient is distributed. */

import { useMemo } from 'preact/hooks';
import type { Onset } from '../charts/line_chart';
import type { Finding, LayerReply, LayerVariable } from '../contract';
import type { Crosshair } from '../data/crosshair';
import { formatInteger, plural } from '../data/format';
import { histogramsOf } from '../data/histogram';
import { probeLines } from '../data/probe';
import type { StepDomain } from '../data/steps';
import type { Theme } from '../host/theme';
import { HistogramView } from './histogram_view';
import { LineChartView } from './line_chart_view';

interface Props {
  reply: LayerReply;
  variable: LayerVariable | undefined;
  findings: readonly Finding[];
  domain: StepDomain;
  left: number;
  theme: Theme;
  crosshair: Crosshair;
}

const CHART_HEIGHT = 86;
const HISTOGRAM_HEIGHT = 176;
/** Of all pictures with their captions. */
export const DETAIL_HEIGHT = 252;
const RIGHT = 24;

function countWhere(values: readonly (number | null)[], test: (value: number) => boolean): number {
  return values.filter((value) => value !== null && test(value)).length;
}

/** What a log axis cannot show, in words. */
function gapWords(variable: LayerVariable, broken: number): string {
  const zeros = countWhere(variable.norm, (norm) => norm === 0);
  const missing = variable.norm.filter((norm) => norm === null).length - broken;
  const parts = [
    zeros > 0 ? `gradient exactly zero at ${plural(zeros, 'logged step')}` : '',
    broken > 0 ? `NaN or Inf at ${plural(broken, 'logged step')} (ticks at the bottom)` : '',
    missing > 0 ? `no gradient at ${plural(missing, 'logged step')}` : '',
  ].filter(Boolean);
  return parts.length > 0 ? `Not on the log axis: ${parts.join('; ')}.` : '';
}

export function LayerDetail(props: Props) {
  const { reply, variable, findings, domain, left, theme, crosshair } = props;
  const { steps } = reply;

  const norm = useMemo(
    () => (variable ? [{ label: '‖g‖', steps, values: variable.norm }] : []),
    [variable, steps],
  );
  const ratio = useMemo(
    () => (variable ? [{ label: '‖ΔW‖/‖W‖', steps, values: variable.update_ratio }] : []),
    [variable, steps],
  );
  const onsets = useMemo(
    (): Onset[] =>
      findings
        .filter((finding) => finding.layers.includes(reply.layer))
        .map(({ kind, since_step: step }) => ({ kind, step })),
    [findings, reply.layer],
  );
  const nonfinite = useMemo(
    () =>
      steps.filter(
        (_, i) => ((variable?.nan_count[i] ?? 0) || 0) + ((variable?.inf_count[i] ?? 0) || 0) > 0,
      ),
    [variable, steps],
  );
  const histograms = useMemo(
    () => (variable ? histogramsOf(reply, variable.path) : null),
    [reply, variable],
  );
  if (!variable) return <p class="muted note">This layer has no trained variable on record.</p>;

  const shared = { domain, left, right: RIGHT, log: true, theme, crosshair };
  const gaps = gapWords(variable, nonfinite.length);
  return (
    <>
      <div class="detail-columns">
        <div>
          <LineChartView
            title="Gradient norm"
            lines={norm}
            onsets={onsets}
            nonfinite={nonfinite}
            height={CHART_HEIGHT}
            stepLabels={false}
            {...shared}
          />
          <LineChartView
            title="Update ratio"
            lines={ratio}
            onsets={onsets}
            height={CHART_HEIGHT + 18}
            {...shared}
          />
          {gaps && <p class="muted note">{gaps}</p>}
        </div>
        {histograms ? (
          <HistogramView
            variable={variable.path}
            histograms={histograms}
            edges={reply.histograms.log10_edges}
            height={HISTOGRAM_HEIGHT}
            theme={theme}
            crosshair={crosshair}
          />
        ) : (
          <p class="muted note">No histogram of this variable on record yet.</p>
        )}
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
