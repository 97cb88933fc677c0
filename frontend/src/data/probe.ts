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

/** Only what was measured, in the order in which a reader asks. */
export function probeLines(probe: Probe): EvidenceLine[] {
  const mean = probe.output_mean === null ? null : formatNumber(probe.output_mean);
  const lines: [label: string, value: string | null][] = [
    ['Output', mean && `${mean} ± ${formatNumber(probe.output_std)}`],
    ['largest', probe.output_max === null ? null : formatNumber(probe.output_max)],
    ['exactly zero', probe.zero_share === null ? null : formatPercent(probe.zero_share)],
    ['dead units', probe.dead_share === null ? null : formatPercent(probe.dead_share)],
    ['saturated', probe.saturated_share === null ? null : formatPercent(probe.saturated_share)],
    ['NaN or Inf', probe.nonfinite_share ? formatPercent(probe.nonfinite_share) : null],
    [
      'gradient at the output ‖∂L/∂y‖',
      probe.gradient_norm === null ? null : formatNumber(probe.gradient_norm),
    ],
    ['first time step against the last', probe.through_time && throughTime(probe.through_time)],
    [
      'spectral radius',
      probe.spectral_radius === null ? null : formatNumber(probe.spectral_radius),
    ],
  ];
  return lines.flatMap(([label, value]) => (value === null ? [] : [{ label, value }]));
}
