/** Loss, metrics and learning rate, grouped into charts. */

import type { ScalarSeries, Series } from '../contract';

export interface ScalarGroup {
  name: string;
  kind: ScalarSeries['kind'];
  lines: { label: string; steps: number[]; values: Series; colour: number; dash?: number[] }[];
  log: boolean;
}

const DASHES = [
  [5, 3],
  [2, 3],
  [8, 3, 2, 3],
];
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

/**
 * Series of one name share a chart; losses first, then metrics, then learning rates. Of several
 * runs each line is labelled with its run.
 */
export function groupScalars(
  runs: readonly { name: string; series: readonly ScalarSeries[] }[],
): ScalarGroup[] {
  const groups = new Map<string, ScalarGroup>();
  runs.forEach(({ name: run, series }, index) => {
    for (const { name, label, kind, steps, values } of series) {
      const group = groups.get(name) ?? { name, kind, lines: [], log: false };
      if (runs.length === 1) {
        group.lines.push({ label, steps, values, colour: group.lines.length });
      } else {
        // A colour is a run; its further series, such as the validation's, are dashed.
        const pattern = DASHES[group.lines.filter((line) => line.colour === index).length - 1];
        const dash = pattern ? { dash: pattern } : {};
        group.lines.push({ label: `${run}: ${label}`, steps, values, colour: index, ...dash });
      }
      groups.set(name, group);
    }
  });
  const out = [...groups.values()].map((group) => ({ ...group, log: needsLog(group.lines) }));
  return out.toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}
