import { expect, test } from 'vitest';
import { levelOf } from '../src/data/codes';
import { decodeNorms, profileAt, ratioOf } from '../src/data/norms';

const norms = (layers: string[], steps: number[], codes: number[], log10_min = -4) =>
  decodeNorms({
    steps,
    wall_times: steps,
    layers,
    codes: btoa(String.fromCharCode(...codes)),
    log10_min,
    log10_step: 1 / 16,
  });

test('a code is a norm, or says why there is none', () => {
  const found = profileAt(norms(['a', 'b', 'c', 'd'], [10], [3, 67, 1, 2]), null);
  expect(found).toEqual({ step: 10, log10: [-4, 0, null, null], codes: [3, 67, 1, 2] });
});

test('the profile is of the step next to the crosshair', () => {
  const table = norms(['a'], [10, 100], [3, 19]);
  expect(profileAt(table, 20).log10).toEqual([-4]);
  expect(profileAt(table, 90).log10).toEqual([-3]);
});

test('the ratio of two runs is in decades, by path and next step; the rest is listed', () => {
  const a = norms(['x', 'y', 'z'], [1, 2, 50], [67, 67, 67, 83, 2, 1, 3, 3, 3]);
  const b = norms(['z', 'q', 'y'], [1, 3], [35, 35, 9, 9, 51, 2]);
  const { heatmap, onlyA, onlyB } = ratioOf(a, b);
  expect(heatmap.layers).toEqual(['y', 'z']);
  expect(onlyA).toEqual(['x']);
  expect(onlyB).toEqual(['q']);
  const [y1, y2, y50, z1] = heatmap.codes;
  expect(levelOf(y1 as number)).toBeCloseTo(2, 1);
  expect(y2).toBe(2); // zero in one of them
  expect(y50).toBe(0); // B has ended
  expect(levelOf(z1 as number)).toBeCloseTo(-2, 1);
});

test('codes that do not fit their table are refused', () => {
  expect(() => norms(['a', 'b'], [1], [3])).toThrow('cells');
});
