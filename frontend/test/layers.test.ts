import { expect, test } from 'vitest';
import { fitTail, stretches, summarizeLayers } from '../src/data/layers';

const order = Array.from({ length: 12 }, (_, i) => `dense_${i}`);
const width = (text: string): number => text.length;

test('consecutive layers are one stretch from the first to the last', () => {
  expect(summarizeLayers(order.slice(0, 5), order)).toBe('dense_0 … dense_4 (5 layers)');
});

test('a gap in the forward order starts a new stretch', () => {
  expect(summarizeLayers(['dense_0', 'dense_1', 'dense_2', 'dense_7'], order)).toBe(
    'dense_0 … dense_2, dense_7 (4 layers)',
  );
});

test('layers are put into forward order first', () => {
  expect(stretches(['dense_2', 'dense_0', 'dense_1'], order)).toEqual([order.slice(0, 3)]);
});

test('one layer is just its name and two are both named', () => {
  expect(summarizeLayers(['dense_3'], order)).toBe('dense_3');
  expect(summarizeLayers(['dense_3', 'dense_4'], order)).toBe('dense_3, dense_4 (2 layers)');
});

test('many stretches are cut short but still counted', () => {
  const every = order.filter((_, i) => i % 2 === 0);
  expect(summarizeLayers(every, order)).toBe('dense_0, dense_2, dense_4, … (6 layers)');
});

test('a finding without layers concerns the whole run', () => {
  expect(summarizeLayers([], order)).toBe('the whole run');
});

test('layers that the model does not know are named, not lost', () => {
  expect(summarizeLayers(['ghost', 'dense_0'], order)).toBe('ghost, dense_0 (2 layers)');
});

test('a name that is too long keeps its end', () => {
  expect(fitTail('encoder/block_1/conv', 11, width)).toBe('…ock_1/conv');
  expect(fitTail('conv', 11, width)).toBe('conv');
});
