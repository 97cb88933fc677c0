import { describe, expect, test } from 'vitest';
import type { SickRow } from '../src/contract';
import type { Heatmap } from '../src/data/codes';
import type { RowChoice } from '../src/data/rows';
import { foldedIn, toggled } from '../src/views/heatmap_panel';
import { arrange, foldable, healthyModules, modulesOf, worstFirst } from '../src/data/rows';

const layers = ['enc/b0/conv', 'enc/b0/mlp', 'enc/b1/conv', 'enc/b1/mlp', 'head'];
const data = (sick: SickRow[] = []): Heatmap => ({
  steps: [1, 2],
  times: [1, 2],
  layers,
  codes: Uint8Array.from([131, 140, 131, 1, 131, 150, 131, 131, 131, 200]),
  sick,
});
const isMlp = (path: string) => path.endsWith('mlp');
const isSlow = (_: string, kind: string) => kind === 'slow';
const all: RowChoice = {
  passes: () => true,
  pinned: new Set<string>(),
  folded: new Set<string>(),
  worst: null,
  isMuted: () => false,
};
const shown = (change: Partial<RowChoice>, sick: SickRow[] = []) =>
  arrange(data(sick), { ...all, ...change });

test('modules are all folders of a path, the outermost first', () => {
  expect(modulesOf('a/b/c')).toEqual(['a', 'a/b']);
  expect(modulesOf('a/b')).toEqual(['a']);
  expect(modulesOf('dense_0')).toEqual([]);
  expect(modulesOf('a/b/c/d')).toEqual(['a', 'a/b', 'a/b/c']);
  expect(modulesOf('/x')).toEqual([]);
});

test('a module of one layer, or of all, is not folded', () => {
  expect([...foldable(layers).keys()]).toEqual(['enc', 'enc/b0', 'enc/b1']);
  expect([...foldable(['m/a/x', 'm/a/y', 'm/b']).keys()]).toEqual(['m/a']);
});

describe('the rows', () => {
  test('are all layers in forward order with a bracket a module', () => {
    const { heatmap, brackets } = shown({});
    expect(heatmap.layers).toEqual(layers);
    expect(brackets.map(({ module, level, from, to }) => [module, level, from, to])).toEqual([
      ['enc', 0, 0, 4],
      ['enc/b0', 1, 0, 2],
      ['enc/b1', 1, 2, 4],
    ]);
  });

  test('of a folded module are one that keeps its most extreme cells and its sick marks', () => {
    const { heatmap, rows, rowOf, brackets } = shown({ folded: new Set(['enc/b0']) }, [
      [1, 'dead', 2, 2, true],
      [4, 'slow', 1, 2, true],
    ]);
    expect(heatmap.layers).toEqual(['enc/b0 (2)', 'enc/b1/conv', 'enc/b1/mlp', 'head']);
    expect(Array.from(heatmap.codes.subarray(0, 2))).toEqual([131, 1]);
    expect(rows[0]?.folded).toBe(true);
    expect(rowOf.get('enc/b0/mlp')).toBe(0);
    expect(heatmap.sick.map(([row, kind]) => [row, kind])).toEqual([
      [0, 'dead'],
      [3, 'slow'],
    ]);
    expect(brackets.find(({ module }) => module === 'enc/b0')?.folded).toBe(true);
  });

  test('follow the filter, but a pinned layer stays and is never folded away', () => {
    const pinned = new Set(['head', 'enc/b0/conv']);
    const { heatmap } = shown({ passes: isMlp, pinned, folded: new Set(['enc']) });
    expect(heatmap.layers).toEqual(['◆ enc/b0/conv', 'enc (2)', '◆ head']);
  });

  test('are none where nothing passes', () => {
    expect(shown({ passes: () => false }).heatmap.codes).toHaveLength(0);
  });

  test('from the worst on have the sick first and no brackets', () => {
    const sick: SickRow[] = [[2, 'dead', 1, 2, true]];
    const worst = worstFirst(data(sick));
    expect(worst.slice(0, 3)).toEqual(['enc/b1/conv', 'enc/b0/mlp', 'head']);
    const { heatmap, brackets } = shown({ worst }, sick);
    expect(heatmap.layers).toEqual(worst);
    expect(heatmap.sick[0]?.[0]).toBe(0);
    expect(brackets).toEqual([]);
  });

  test('lose the marks of what is muted', () => {
    const sick: SickRow[] = [
      [0, 'dead', 1, 2, true],
      [0, 'slow', 1, 2, true],
    ];
    expect(shown({ isMuted: isSlow }, sick).heatmap.sick.map(([, kind]) => kind)).toEqual(['dead']);
  });
});

test('healthy blocks are the outermost modules without a sick layer', () => {
  expect(healthyModules(data())).toEqual(['enc']);
  expect(healthyModules(data([[1, 'dead', 1, 2, true]]))).toEqual(['enc/b1']);
  expect(healthyModules(data([[1, 'dead', 1, 2, false]]))).toEqual(['enc']);
});

describe('folds', () => {
  const sick: SickRow[] = [[1, 'dead', 1, 2, true]];

  test('of the healthy modules are one sign in the address, exceptions aside', () => {
    expect(foldedIn(['+'], data(sick))).toEqual(['enc/b1']);
    expect(foldedIn(toggled(['+'], 'enc/b1', true), data(sick))).toEqual([]);
    expect(foldedIn(toggled(['+', '-enc/b1'], 'enc/b1', false), data(sick))).toEqual([
      'enc/b1',
      'enc/b1',
    ]);
    expect(foldedIn(toggled(['+'], 'enc/b0', false), data(sick))).toEqual(['enc/b1', 'enc/b0']);
  });

  test('are left to the page in runs of many layers only', () => {
    expect(foldedIn(['*'], data())).toEqual([]);
    const many = Array.from({ length: 1001 }, (_, i) => `b${i % 10}/l${i}`);
    expect(foldedIn(['*'], { ...data(), layers: many })).toHaveLength(10);
    expect(foldedIn([], { ...data(), layers: many })).toEqual([]);
  });
});
