import type { Palette } from '../charts/palette';
import { formatPercent } from '../data/format';
import type { StepHistogram } from '../data/histogram';

/** Shares of a step's elements that have no place on a log axis. */
export function ShareBars({ histogram, palette }: { histogram: StepHistogram; palette: Palette }) {
  const rows: [string, number, string][] = [
    ['zero', histogram.zero, palette.zero],
    ['NaN', histogram.nan, palette.nonfinite],
    ['Inf', histogram.inf, palette.scale[4]],
  ];
  return (
    <dl class="share-bars">
      {rows.map(([word, share, colour]) => (
        <div key={word}>
          <dt>{word}</dt>
          <dd>
            <span class="share-bar">
              <i
                style={{
                  background: colour,
                  // A share of one element in a million is still the news of this picture.
                  width: share > 0 ? `max(3px, ${(share * 100).toFixed(2)}%)` : '0',
                }}
              />
            </span>
            {formatPercent(share)}
          </dd>
        </div>
      ))}
    </dl>
  );
}
