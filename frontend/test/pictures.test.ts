import { describe, expect, test } from 'vitest';
import { layoutBands, paintBands } from '../src/charts/bands_paint';
import { colourOfValue } from '../src/charts/map_paint';
import { paletteOf, rgbOf } from '../src/charts/palette';
import { valueRange } from '../src/charts/plot';
import { layoutRidges } from '../src/charts/ridge_paint';
import type { LayerReply } from '../src/contract';
import { makeAxis } from '../src/data/axis';
import { createCrosshair } from '../src/data/crosshair';
import { stepTable, toCsv } from '../src/data/csv';
import { percentiles } from '../src/data/histogram';
import { decodeMap, firstChoice, sliceMap, valueOf } from '../src/data/map';
import { smooth } from '../src/data/smooth';
import { fileName } from '../src/host/save';
import { healthyBand, noHistogram } from '../src/views/layer_detail';

describe('a gradient map', () => {
  // Two slices of 2 x 3: value 0 … 11, the last not finite.
  const codes = Int8Array.from({ length: 12 }, (_, i) => (i === 11 ? -128 : i * 10 - 50));
  const map = decodeMap({
    variable: 'conv/kernel',
    step: 4,
    shape: [1, 2, 20, 30],
    slices: [1, 2],
    reduced: [2, 3],
    scale: 12.7,
    codes: btoa(String.fromCharCode(...new Uint8Array(codes.buffer))),
  });

  test('shows the last two axes at the middle of the others', () => {
    const choice = firstChoice(map);
    expect(choice).toEqual({ rows: 2, columns: 3, at: [0, 0, 0, 1] });
    expect([...sliceMap(map, choice)]).toEqual([-50, -40, -30, -20, -10, 0]);
    expect([...sliceMap(map, { ...choice, at: [0, 1, 0, 0] })]).toEqual([10, 20, 30, 40, 50, -128]);
  });

  test('can be turned and cut along any axis', () => {
    const turned = sliceMap(map, { rows: 3, columns: 2, at: [0, 0, 0, 0] });
    expect([...turned]).toEqual([-50, -20, -40, -10, -30, 0]);
    expect([...sliceMap(map, { rows: 1, columns: 3, at: [0, 0, 1, 0] })]).toEqual([
      -20, -10, 0, 40, 50, -128,
    ]);
  });

  test('has signed values and none where they are not finite', () => {
    expect(valueOf(map, -127)).toBeCloseTo(-12.7);
    expect(valueOf(map, 0)).toBe(0);
    expect(valueOf(map, -128)).toBeNull();
  });

  test('has symmetric colours', () => {
    const light = paletteOf('light');
    expect(colourOfValue(0, light)).toEqual(rgbOf('#f4f4f2'));
    expect(colourOfValue(-1, light)).toEqual(rgbOf('#084081'));
    expect(colourOfValue(2, light)).toEqual(rgbOf('#8c3c00'));
  });

  test('with too few cells is refused', () => {
    const short = { variable: 'k', step: 1, shape: [2], slices: [], reduced: [2, 2], scale: 1 };
    expect(() => decodeMap({ ...short, codes: btoa('abc') })).toThrow('cells');
  });
});

describe('a single histogram', () => {
  const edges = [-3, -2, -1, 0];
  const one = { negative: [0, 0, 0], positive: [0.2, 0.5, 0.3], zero: 0, nan: 0, inf: 0 };
  const [first, second] = [
    { ...one, step: 1 },
    { ...one, step: 200 },
  ];

  test('is as high as there is room', () => {
    const peakOf = (all: (typeof first)[]): number => layoutRidges(all, edges, 400, 176).peak;
    expect(peakOf([first])).toBeGreaterThan(2 * peakOf([first, second]));
    expect(layoutRidges([first], edges, 400, 176).bottom - peakOf([first])).toBeGreaterThan(16);
  });

  test('is a band that has a width', () => {
    const drawn: number[] = [];
    const context = new Proxy({} as CanvasRenderingContext2D, {
      get: (_, name) => (name === 'lineTo' ? (x: number) => drawn.push(x) : () => ({ width: 0 })),
      set: () => true,
    });
    const axis = makeAxis({ min: 0, max: 200 });
    paintBands(context, layoutBands([first], edges, axis, 400, 150), null, paletteOf('light'));
    expect(Math.max(...drawn) - Math.min(...drawn)).toBe(12);
  });
});

test('why there is no histogram of an output is said', () => {
  const seen = { output_mean: 0, gradient_norm: 1 } as NonNullable<LayerReply['probe']>;
  expect(noHistogram('activations', { probe: null })).toContain('no probe saw');
  expect(noHistogram('activations', { probe: { ...seen, output_mean: null } })).toContain('sum');
  expect(noHistogram('activations', { probe: seen })).toContain('histograms=False');
});

describe('percentiles', () => {
  const histogram = {
    step: 1,
    zero: 0.5,
    nan: 0,
    inf: 0,
    negative: [0, 0.1, 0.1],
    positive: [0, 0.1, 0.2],
  };

  test('are of the nonzero finite elements, linear within a bin', () => {
    const [q0, q25, median, q1] = percentiles(histogram, [-3, -2, -1, 0], [0, 0.2, 0.5, 1]) ?? [];
    expect(q0).toBeCloseTo(-2);
    expect(q25).toBeCloseTo(-1.5);
    expect(median).toBeCloseTo(-1 + 0.1 / 0.6);
    expect(q1).toBeCloseTo(0);
  });

  test('are none where everything is zero', () => {
    expect(percentiles({ ...histogram, negative: [0], positive: [0] }, [-1, 0])).toBeNull();
  });
});

describe('smoothing', () => {
  test('is the debiased exponential mean', () => {
    // By hand: (0.5 * 1) / 0.5 = 1; (0.5 * 0.5 + 0.5 * 3) / 0.75.
    expect(smooth([1, 3], 0.5)).toEqual([1, 1.75 / 0.75]);
    expect(smooth([4, 4, 4], 0.9).every((v) => Math.abs((v ?? 0) - 4) < 1e-9)).toBe(true);
  });

  test('skips what is missing, and on a log axis smooths decades', () => {
    expect(smooth([1, null, 1], 0.9)).toEqual([1, null, 1]);
    expect(smooth([1, 100], 0.5, true)[1]).toBeCloseTo(10 ** (4 / 3), 9);
    expect(smooth([0, 5], 0.5, true)[0]).toBeNull();
  });

  test('of weight zero is the data itself', () => {
    const values = [1, 2];
    expect(smooth(values, 0)).toBe(values);
  });
});

describe('tables', () => {
  test('hold a row a step and gaps where a series has none', () => {
    const rows = stepTable([
      { label: 'a', steps: [1, 3], values: [10, 30] },
      { label: 'b', steps: [2, 3], values: [null, 5] },
    ]);
    expect(toCsv(rows)).toBe('step,a,b\n1,10,\n2,,\n3,30,5\n');
  });

  test('quote what would break a cell or be taken for a formula', () => {
    expect(toCsv([['a,b', 'say "x"', '=1+1', -5, true, undefined]])).toBe(
      '"a,b","say ""x""",\'=1+1,-5,true,\n',
    );
  });

  test('have file names without what file systems refuse', () => {
    expect(fileName('<b>run</b>', '../a/b', null)).toBe('_b_run_b_.._a_b');
    expect(fileName('')).toBe('gradients');
  });
});

test('a range is whole decades or has a margin, also of nothing and of one value', () => {
  expect(valueRange([0.02, 3], true)).toEqual([-2, 1]);
  expect(valueRange([1, 1], true)).toEqual([-1, 1]);
  expect(valueRange([], true)).toEqual([-6, 0]);
  expect(valueRange([], false)).toEqual([0, 1]);
  const [low, high] = valueRange([5, 5], false);
  expect(low < 5 && high > 5).toBe(true);
});

test('the healthy band lies around the median of the early norms', () => {
  const [low, high] = healthyBand([null, 0, 1, 2, 3, ...Array<number>(50).fill(1e6)]) ?? [];
  expect((low ?? 0) * (high ?? 0)).toBeGreaterThan(0);
  expect(healthyBand([null, 0])).toBeNull();
  const band = healthyBand([1, 2, 3]) ?? [0, 0];
  expect(Math.sqrt(band[0] * band[1])).toBeCloseTo(2);
});

test('the crosshair goes back to the pinned step when nothing is pointed at', () => {
  const crosshair = createCrosshair();
  const told: (number | null)[] = [];
  crosshair.subscribe((step) => told.push(step));
  crosshair.pin(5);
  crosshair.set(9);
  crosshair.set(9);
  crosshair.set(null);
  crosshair.pin(null);
  expect(told).toEqual([5, 9, 5, null]);
});
