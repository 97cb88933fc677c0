/** Loss, metrics and learning rate, grouped into charts. */

import type { ScalarSeries, Series } from '../contract';

export interface ScalarGroup {
  name: string;
  kind: ScalarSeries['kind'];
  lines: { label: string; steps: number[]; values: Series }[];
  log: boolean;
}

const ORDER: readonly ScalarSeries['kind'][] = ['loss', 'metric', 'learning_rate'];
/** A curve over more than this factor hides its small values on a linear axis. */
const LOG_RANGE = 1000;

function needsLog(lines: ScalarGroup['lines']): boolean {
  const values = lines.flatMap((line) => line.values.filter((value) => value !== null));
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  return min > 0 && max / min > LOG_RANGE;
}

/** Series of one name share a chart; losses first, then metrics, then learning rates. */
export function groupScalars(series: readonly ScalarSeries[]): ScalarGroup[] {
  const groups = new Map<string, ScalarGroup>();
  for (const { name, label, kind, steps, values } of series) {
    const group = groups.get(name) ?? { name, kind, lines: [], log: false };
    group.lines.push({ label, steps, values });
    groups.set(name, group);
  }
  const out = [...groups.values()].map((group) => ({ ...group, log: needsLog(group.lines) }));
  return out.toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}
