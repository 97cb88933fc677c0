import { expect, test } from 'vitest';
import type { LayerReply, ScalarSeries } from '../src/contract';
import { joinLayer, joinScalars, joinTables } from '../src/data/grow';

const table = (steps: number[], codes: number[], layers = ['a', 'b']) => ({
  steps,
  times: steps,
  layers,
  codes: Uint8Array.from(codes),
  sick: steps.map((step) => [0, 'dead', step, step, true]),
  epoch: 'e',
});

test('columns of a table are joined row by row; layers and sickness are the new ones', () => {
  const joined = joinTables(table([1, 2], [1, 2, 11, 12]), table([5], [3, 13]));
  expect(joined).toEqual({
    ...table([1, 2, 5], [1, 2, 3, 11, 12, 13]),
    sick: [[0, 'dead', 5, 5, true]],
  });
});

test('nothing new changes nothing, and other rows cannot be joined', () => {
  const old = table([1, 2], [1, 2, 11, 12]);
  expect(joinTables(old, table([], []))?.codes).toEqual(old.codes);
  expect(joinTables(old, table([5], [3, 13], ['a', 'c']))).toBeNull();
});

const series = (label: string, steps: number[]): ScalarSeries => ({
  name: 'loss',
  label,
  kind: 'loss',
  steps,
  wall_times: steps.map((step) => step * 10),
  values: steps.map((step) => step / 10),
});

test('a series that lags loses nothing and none holds a step twice', () => {
  const joined = joinScalars(
    [series('loss', [1, 2, 3, 4]), series('val_loss', [2])],
    [series('loss', [3, 4, 5]), series('val_loss', [3])],
    2,
  );
  expect(joined).toEqual([series('loss', [1, 2, 3, 4, 5]), series('val_loss', [2, 3])]);
});

test('a series that is new needs all of its past', () => {
  expect(
    joinScalars([series('loss', [1])], [series('loss', [2]), series('acc', [2])], 1),
  ).toBeNull();
});

const layer = (steps: number[], weights: boolean): LayerReply => {
  const rows = steps.map((step) => [step]);
  const histograms = {
    steps,
    log10_edges: [-1, 0],
    variables: [
      { path: 'a/k', negative: rows, positive: rows, zero: steps, nan: steps, inf: steps },
    ],
  };
  return {
    layer: 'a',
    steps,
    wall_times: steps,
    level: steps,
    variables: [{ path: 'a/k', role: 'kernel', shape: [4, 4], norm: steps }],
    histograms,
    weights: weights ? histograms : null,
    activations: weights ? histograms : null,
    maps: [],
    epoch: 'e',
  } as unknown as LayerReply;
};

test('a layer grows in all its series; shapes and edges stay', () => {
  expect(joinLayer(layer([1, 2], true), layer([7], true))).toEqual(layer([1, 2, 7], true));
});

test('a layer that has gained a histogram is asked for anew', () => {
  expect(joinLayer(layer([1, 2], false), layer([7], true))).toBeNull();
});

test('what was held beyond the last logged step comes again, and is there once', () => {
  const { histograms } = layer([1, 2, 6], true);
  const old = { ...layer([1, 2], true), weights: histograms, activations: histograms };
  const again = layer([6, 7], true).histograms;
  const fresh = { ...layer([7], true), weights: again, activations: again };
  const all = layer([1, 2, 6, 7], true).histograms;
  expect(joinLayer(old, fresh)).toMatchObject({ weights: all, activations: all });
});
