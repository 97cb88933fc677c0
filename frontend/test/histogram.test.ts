import { expect, test } from 'vitest';
import type { LayerReply } from '../src/contract';
import { histogramsOf, magnitudes, spread, visibleBins } from '../src/data/histogram';

const reply = {
  histograms: {
    steps: [1, 5],
    log10_edges: [-3, -2, -1, 0],
    variables: [
      {
        path: 'dense/kernel',
        negative: [
          [0, 0.25, 0],
          [0, 0.5, 0],
        ],
        positive: [
          [0, 0.5, 0.25],
          [0, 0, 0],
        ],
        zero: [0, 0.25],
        nan: [0, 0.25],
        inf: [0, 0],
      },
    ],
  },
} as unknown as LayerReply;

test('histograms are sorted out by step', () => {
  const histograms = histogramsOf(reply.histograms, 'dense/kernel');
  expect(histograms?.map(({ step, zero, nan }) => [step, zero, nan])).toEqual([
    [1, 0, 0],
    [5, 0.25, 0.25],
  ]);
  expect(histograms?.[0] && magnitudes(histograms[0])).toEqual([0, 0.75, 0.25]);
});

test('a variable without histograms has none', () => {
  expect(histogramsOf(reply.histograms, 'dense/bias')).toBeNull();
});

test('the axis spans what can be seen at any step and one bin around it', () => {
  const histograms = histogramsOf(reply.histograms, 'dense/kernel') ?? [];
  expect(visibleBins(histograms, 3)).toEqual([0, 3]);
  expect(visibleBins([], 3)).toEqual([0, 3]);
  const tail = { step: 1, negative: [], zero: 0, nan: 0, inf: 0 };
  expect(visibleBins([{ ...tail, positive: [1e-4, 0, 0, 0.1, 0.8, 0, 0, 0] }], 8)).toEqual([2, 6]);
});

test('a selection of ridges has the first and the last step', () => {
  expect(spread(3, 48)).toEqual([0, 1, 2]);
  const some = spread(200, 48);
  expect(some).toHaveLength(48);
  expect(some[0]).toBe(0);
  expect(some.at(-1)).toBe(199);
  expect(new Set(some).size).toBe(48);
});
