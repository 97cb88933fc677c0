// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Heatmap } from '../src/data/codes';

const signal = new AbortController().signal;
const asked: string[] = [];
let answers: unknown[] = [];

beforeEach(() => {
  asked.length = 0;
  vi.resetModules();
  vi.stubGlobal('fetch', async (url: string) => {
    asked.push(url);
    return new Response(JSON.stringify(answers.shift()));
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  document.body.textContent = '';
});

const reply = (steps: number[], more = {}) => ({
  steps,
  wall_times: steps,
  layers: ['a'],
  codes: btoa(String.fromCharCode(...steps)),
  sick: [],
  ...more,
});

test('a poll asks for what is new only, and joins it', async () => {
  const { getHeatmap } = await import('../src/api');
  answers = [reply([10, 20], { epoch: 'x y' }), reply([30], { epoch: 'x y', since: 20 })];
  const held = await getHeatmap('a/b & c', signal, null);
  const grown = await getHeatmap('a/b & c', signal, held);
  expect(asked).toEqual([
    './heatmap?run=a%2Fb%20%26%20c',
    './heatmap?run=a%2Fb%20%26%20c&since=20&epoch=x%20y',
  ]);
  expect(grown.steps).toEqual([10, 20, 30]);
  expect([...grown.codes]).toEqual([10, 20, 30]);
});

test('where the server starts over, so does the page', async () => {
  const { getHeatmap } = await import('../src/api');
  answers = [reply([10, 20], { epoch: '1' }), reply([10, 30], { epoch: '2' })];
  const held = await getHeatmap('r', signal, null);
  expect((await getHeatmap('r', signal, held)).steps).toEqual([10, 30]);
});

test('news that do not fit what is held are asked for whole', async () => {
  const { getHeatmap } = await import('../src/api');
  answers = [
    reply([10], { epoch: '1' }),
    reply([20], { epoch: '1', since: 10, layers: ['b'] }),
    reply([10, 20], { epoch: '1', layers: ['b'] }),
  ];
  const held = await getHeatmap('r', signal, null);
  expect((await getHeatmap('r', signal, held)).steps).toEqual([10, 20]);
  expect(asked.at(-1)).toBe('./heatmap?run=r');
});

test('a server without epochs is asked for everything', async () => {
  const { getHeatmap } = await import('../src/api');
  answers = [reply([10]), reply([10, 20])];
  const held: Heatmap = await getHeatmap('r', signal, null);
  expect((await getHeatmap('r', signal, held)).steps).toEqual([10, 20]);
  expect(asked).toEqual(['./heatmap?run=r', './heatmap?run=r']);
});

test('a page that holds its data asks nobody, and says what it does not hold', async () => {
  const data = document.createElement('script');
  data.type = 'application/json';
  data.id = 'gradients-data';
  data.textContent = JSON.stringify({
    answers: { runs: { runs: [] }, 'run?run=a%20b': { name: 'a b' } },
  });
  document.body.append(data);
  const { getRun, getRuns, isFile } = await import('../src/api');
  expect(isFile).toBe(true);
  expect(await getRuns(signal)).toEqual([]);
  expect((await getRun('a b', signal)).name).toBe('a b');
  await expect(getRun('c', signal)).rejects.toThrow('not in this file');
  expect(asked).toEqual([]);
});
