import { useEffect, useRef } from 'preact/hooks';
import { prepareCanvas } from '../charts/canvas';
import { COLOUR_DECADES, colourOfLevel } from '../charts/palette';
import type { Palette } from '../charts/palette';

interface Props {
  palette: Palette;
  low: string;
  middle: string;
  high: string;
  dead?: number | undefined;
}

const BAR = { width: 200, height: 14 };

/** What the heatmap's colours mean. */
export function HeatmapLegend({ palette, low, middle, high, dead }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current && prepareCanvas(canvas.current, BAR.width, BAR.height);
    if (!context) return;
    for (let x = 0; x < BAR.width; x++) {
      const level = ((x + 0.5) / BAR.width - 0.5) * 2 * COLOUR_DECADES;
      context.fillStyle = `rgb(${colourOfLevel(level, palette, dead).join(' ')})`;
      context.fillRect(x, 0, 1, BAR.height);
    }
  }, [palette, dead]);
  return (
    <div class="legend">
      <span>
        <b>1/1,000</b> {low}
      </span>
      <span class="legend-bar">
        <canvas ref={canvas} />
        <span>{middle}</span>
      </span>
      <span>
        <b>1,000×</b> {high}
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
