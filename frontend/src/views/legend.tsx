import { DEAD_BAND_DECADES } from '../data/codes';
import { COLOUR_DECADES } from '../charts/palette';
import type { Palette } from '../charts/palette';

/** Where a level lies on the bar. */
function at(decades: number): string {
  return `${(((decades + COLOUR_DECADES) / (2 * COLOUR_DECADES)) * 100).toFixed(1)}%`;
}

/** What the heatmap's colours mean. The bar is a CSS gradient of the same five colours. */
export function HeatmapLegend({ palette }: { palette: Palette }) {
  const [low, lowMiddle, neutral, highMiddle, high] = palette.scale;
  const half = (COLOUR_DECADES + DEAD_BAND_DECADES) / 2;
  const bar = `linear-gradient(to right, ${[
    `${low} 0%`,
    `${lowMiddle} ${at(-half)}`,
    `${neutral} ${at(-DEAD_BAND_DECADES)}`,
    `${neutral} ${at(DEAD_BAND_DECADES)}`,
    `${highMiddle} ${at(half)}`,
    `${high} 100%`,
  ].join(', ')})`;
  return (
    <div class="legend">
      <span>
        <b>1/1,000</b> of the most sensitive layer
      </span>
      <span class="legend-bar" style={{ background: bar }}>
        <span>healthy</span>
      </span>
      <span>
        <b>1,000×</b> its own start
      </span>
    </div>
  );
}

/** Colours of cells that have no level. */
export function HeatmapSwatches({ palette }: { palette: Palette }) {
  const swatches: [string, string][] = [
    [palette.nonfinite, 'NaN or Inf'],
    [palette.zero, 'exactly zero'],
    [palette.notRecorded, 'not recorded'],
  ];
  return (
    <span class="legend-swatches muted">
      {swatches.map(([colour, word]) => (
        <span key={word} class="swatch">
          <i style={{ background: colour }} />
          {word}
        </span>
      ))}
    </span>
  );
}
