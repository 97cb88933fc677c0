import { expect, test } from 'vitest';
import { positiveOnly } from '../src/charts/line_paint';
import type { ScalarSeries } from '../src/contract';
import { groupScalars } from '../src/data/scalars';

function series(name: string, kind: ScalarSeries['kind'], values: (number | null)[]): ScalarSeries {
  const steps = values.map((_, i) => i);
  return { name, label: name, kind, steps, wall_times: steps, values };
}

test('series of one name share a chart and the loss comes first', () => {
  const groups = groupScalars([
    {
      name: 'run1',
      series: [
        series('learning_rate', 'learning_rate', [1]),
        series('accuracy', 'metric', [0.5]),
        series('loss', 'loss', [1, 2]),
        series('loss', 'loss', [3]),
      ],
    },
  ]);
  expect(groups.map(({ name, lines }) => [name, lines.length])).toEqual([
    ['loss', 2],
    ['accuracy', 1],
    ['learning_rate', 1],
  ]);
});

const log = (values: (number | null)[]) =>
  groupScalars([{ name: 'run1', series: [series('loss', 'loss', values)] }])[0]?.log;

test('a curve over more than three decades gets a log axis, if it has no zero', () => {
  expect(log([1e-4, null, 1])).toBe(true);
  expect(log([0.5, 1])).toBe(false);
  expect(log([0, 1e6])).toBe(false);
  expect(log([null, null])).toBe(false);
});

test('a log axis gets no zero, negative or missing value', () => {
  expect(positiveOnly([1, 0, -2, null, 1e-30])).toEqual([1, null, null, null, 1e-30]);
});

test('of several runs each has a colour, and its second series is dashed', () => {
  const both = [series('loss', 'loss', [1]), series('loss', 'loss', [2])];
  const [loss] = groupScalars([
    { name: 'a', series: both },
    { name: 'b', series: both },
  ]);
  expect(loss?.lines.map(({ label, colour, dash }) => [label, colour, Boolean(dash)])).toEqual([
    ['a: loss', 0, false],
    ['a: loss', 0, true],
    ['b: loss', 1, false],
    ['b: loss', 1, true],
  ]);
});
