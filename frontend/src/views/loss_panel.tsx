import { RIGHT_GUTTER } from '../charts/heatmap_layout';
import type { Onset } from '../charts/line_paint';
import type { ScalarGroup } from '../data/scalars';
import { plural } from '../data/format';
import { LineChartView } from './line_chart_view';
import type { Shared } from './shared';

interface Props extends Shared {
  groups: readonly ScalarGroup[];
  onsets: readonly Onset[];
}

/** Charts beyond these wait in a fold: the loss must stay near the heatmap. */
const SHOWN = 3;
export const LOSS_HEIGHT = 108;
const OTHER_HEIGHT = 68;

export function LossPanel({ groups, ...shared }: Props) {
  const charts = (some: readonly ScalarGroup[]) =>
    some.map((group, i) => (
      <LineChartView
        key={group.name}
        title={group.name.replaceAll('_', ' ')}
        lines={group.lines}
        log={group.log}
        height={
          (group.kind === 'loss' ? LOSS_HEIGHT : OTHER_HEIGHT) + (i === some.length - 1 ? 18 : 0)
        }
        labels={i === some.length - 1}
        right={RIGHT_GUTTER}
        {...shared}
      />
    ));
  const rest = groups.slice(SHOWN);
  if (groups.length === 0) {
    return <p class="muted note">This run has no loss, metric or learning rate on record.</p>;
  }
  return (
    <>
      {charts(groups.slice(0, SHOWN))}
      {rest.length > 0 && (
        <details>
          <summary>{plural(rest.length, 'more chart')}</summary>
          {charts(rest)}
        </details>
      )}
    </>
  );
}
