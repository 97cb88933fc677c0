import { describe, expect, test } from 'vitest';
import { cellsOfPixels, rasterize } from '../src/charts/heatmap_cells';
import { makeAxis } from '../src/data/axis';
import { layoutHeatmap, rowAt, rowBand, xOfStep } from '../src/charts/heatmap_layout';
import { labelledRows } from '../src/charts/heatmap_paint';
import { colourOfLevel, paletteOf, rgbOf } from '../src/charts/palette';

describe('cells and pixels', () => {
  test('cells wider than a pixel do not run over their edges', () => {
    // Edge 1 lies in the middle of pixel 2 of 5: its middle belongs to the second cell.
    expect(cellsOfPixels([0, 1, 2], 5)).toEqual([
      [0, 1],
      [0, 1],
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
  });

  test('no cell is lost where many share a pixel', () => {
    for (const cells of [10, 37, 300, 1000]) {
      const edges = Array.from({ length: cells + 1 }, (_, i) => i);
      const seen = new Set<number>();
      for (const [from, to] of cellsOfPixels(edges, 97)) {
        for (let cell = from; cell < to; cell++) seen.add(cell);
      }
      expect(seen.size).toBe(cells);
    }
  });

  test('one NaN in 300 x 1000 cells is still in a picture of 90 x 80 pixels', () => {
    const steps = Array.from({ length: 1000 }, (_, i) => i + 1);
    const layers = Array.from({ length: 300 }, (_, i) => `l${i}`);
    const codes = new Uint8Array(300_000).fill(131);
    codes[172 * 1000 + 555] = 1;
    const picture = rasterize({ steps, layers, codes }, makeAxis({ min: 1, max: 1000 }), 90, 80);
    expect(picture.filter((code) => code === 1)).toHaveLength(1);
    expect(picture).toHaveLength(90 * 80);
  });

  test('irregular steps take room by their distance', () => {
    const codes = Uint8Array.from([140, 150, 160]);
    const picture = rasterize(
      { steps: [0, 10, 100], layers: ['a'], codes },
      makeAxis({ min: 0, max: 100 }),
      100,
      1,
    );
    expect([...picture].filter((code) => code === 140)).toHaveLength(5);
    expect([...picture].filter((code) => code === 150)).toHaveLength(50);
  });

  test('a zoom shows the columns in sight only, and beyond the last column there is nothing', () => {
    const data = {
      steps: [0, 10, 20, 30],
      layers: ['a'],
      codes: Uint8Array.from([140, 1, 160, 170]),
    };
    const zoomed = rasterize(data, makeAxis({ min: 16, max: 24 }), 8, 1);
    expect([...zoomed]).toEqual(Array(8).fill(160));
    const wide = rasterize(data, makeAxis({ min: 0, max: 60 }), 60, 1);
    expect(Array.from(wide.subarray(36))).toEqual(Array(24).fill(3));
    expect(wide[34]).toBe(170);
  });

  test('no data gives an empty picture', () => {
    const none = { steps: [], layers: [], codes: new Uint8Array() };
    expect([...rasterize(none, makeAxis({ min: 0, max: 1 }), 2, 2)]).toEqual([0, 0, 0, 0]);
  });
});

describe('the layout', () => {
  const layout = layoutHeatmap(300, 900, 400, 100, makeAxis({ min: 0, max: 1000 }));

  test('a row of a pixel still gets a mark of three', () => {
    expect(layout.rowHeight).toBeLessThan(2);
    for (const row of [0, 150, 299]) {
      const [top, height] = rowBand(layout, row, 3);
      expect(height).toBe(3);
      expect(top).toBeGreaterThanOrEqual(0);
      expect(top + height).toBeLessThanOrEqual(layout.cellsHeight);
    }
  });

  test('points outside the cells are on no row', () => {
    expect(rowAt(layout, -1)).toBe(-1);
    expect(rowAt(layout, layout.cellsHeight + 1)).toBe(-1);
    expect(rowAt(layout, 0)).toBe(0);
    expect(rowAt(layout, layout.cellsHeight - 0.01)).toBe(299);
  });

  test('the first step lies at the left edge and the last at the right one', () => {
    expect(xOfStep(layout, 0)).toBe(100);
    expect(xOfStep(layout, 1000)).toBe(100 + layout.cellsWidth);
  });

  test('sick rows are labelled first and labels never overlap', () => {
    const rows = labelledRows(layout, [[171, 'dead', 1, 2, true]]);
    expect(rows).toContain(171);
    const sorted = rows.toSorted((a, b) => a - b);
    sorted.slice(1).forEach((row, i) => {
      expect((row - (sorted[i] as number)) * layout.rowHeight).toBeGreaterThanOrEqual(12);
    });
  });
});

describe('colours', () => {
  const light = paletteOf('light');

  test('ordinary drift within the dead band is neutral', () => {
    expect(colourOfLevel(0.7, light)).toEqual(rgbOf('#f4f4f2'));
    expect(colourOfLevel(-0.69, light)).toEqual(rgbOf('#f4f4f2'));
  });

  test('three decades and more have the end colours', () => {
    expect(colourOfLevel(-3, light)).toEqual(rgbOf('#084081'));
    expect(colourOfLevel(4, light)).toEqual(rgbOf('#8c3c00'));
    expect(colourOfLevel(3, paletteOf('dark'))).toEqual(rgbOf('#ffc46e'));
  });
});
