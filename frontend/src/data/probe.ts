/** A look inside a layer as labelled values. */

import type { Probe } from '../contract';
import type { EvidenceLine } from './evidence';
import { formatFactor, formatNumber, formatPercent, plural } from './format';

/** |dL/dh_t| at the first time step against the last one. */
function throughTime({ steps, norms }: NonNullable<Probe['through_time']>): string | null {
  const first = norms[0];
  const last = norms.at(-1);
  if (!first || !last || norms.length < 2) return null;
  const factor = formatFactor(Math.log10(first / last));
  return `${factor} over ${plural((steps.at(-1) ?? 0) + 1, 'time step')}`;
}

function written(value: number | null, write: (value: number) => string): string | null {
  return value === null ? null : write(value);
}

/** Only what was measured, in the order in which a reader asks. */
export function probeLines(probe: Probe): EvidenceLine[] {
  const spread = (mean: number): string =>
    `${formatNumber(mean)} ± ${formatNumber(probe.output_std)}`;
  const lines: [label: string, value: string | null][] = [
    ['Output', written(probe.output_mean, spread)],
    ['largest', written(probe.output_max, formatNumber)],
    ['exactly zero', written(probe.zero_share, formatPercent)],
    ['dead units', written(probe.dead_share, formatPercent)],
    ['saturated', written(probe.saturated_share, formatPercent)],
    ['NaN or Inf', written(probe.nonfinite_share || null, formatPercent)],
    ['gradient at the output ‖∂L/∂y‖', written(probe.gradient_norm, formatNumber)],
    ['first time step against the last', probe.through_time && throughTime(probe.through_time)],
    ['spectral radius', written(probe.spectral_radius, formatNumber)],
  ];
  return lines.flatMap(([label, value]) => (value === null ? [] : [{ label, value }]));
}
