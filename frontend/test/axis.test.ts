import { describe, expect, test } from 'vitest';
import { formatDuration, makeAxis } from '../src/data/axis';

const clock = { steps: [0, 10, 20], times: [1000, 1010, 1110] };

describe('the axis', () => {
  test('by step is linear in the step', () => {
    const axis = makeAxis({ min: 10, max: 30 });
    expect([axis.at(10), axis.at(20), axis.at(40), axis.stepAt(0.5)]).toEqual([0, 0.5, 1.5, 20]);
  });

  test('by time gives a slow step its room, and leads back to the step', () => {
    const axis = makeAxis({ min: 0, max: 20 }, 'relative', clock);
    expect(axis.at(10)).toBeCloseTo(10 / 110, 9);
    for (const step of [0, 3, 10, 17.5, 20])
      expect(axis.stepAt(axis.at(step))).toBeCloseTo(step, 6);
  });

  test('relative ticks count from the first step and are round', () => {
    const axis = makeAxis({ min: 0, max: 20 }, 'relative', clock);
    expect(axis.ticks(4).map(({ label }) => label)).toEqual([
      '0 s',
      '30 s',
      '1:00 min',
      '1:30 min',
    ]);
  });

  test('wall ticks stay within the picture and are few', () => {
    for (const seconds of [0.01, 3, 90, 4000, 90_000, 5e6, 4e8]) {
      const times = [1.79e9, 1.79e9 + seconds / 3, 1.79e9 + seconds];
      const axis = makeAxis({ min: 0, max: 20 }, 'wall', { ...clock, times });
      const ticks = axis.ticks(8);
      expect(ticks.length).toBeGreaterThan(0);
      expect(ticks.length).toBeLessThanOrEqual(10);
      expect(ticks.every(({ at }) => at > -0.01 && at < 1.01)).toBe(true);
    }
  });

  test('a clock that goes back or stands still does not fold the axis', () => {
    const axis = makeAxis({ min: 0, max: 3 }, 'wall', { steps: [0, 1, 2, 3], times: [5, 9, 4, 4] });
    const places = [0, 1, 2, 3].map((step) => axis.at(step));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(new Set(places).size).toBe(4);
  });

  test('without times it stays by step', () => {
    expect(makeAxis({ min: 0, max: 1 }, 'wall').kind).toBe('step');
    expect(makeAxis({ min: 0, max: 1 }, 'wall', { steps: [1], times: [1] }).kind).toBe('step');
  });
});

test('durations are as exact as their ticks are close', () => {
  expect(formatDuration(0.25, 0.05)).toBe('0.25 s');
  expect(formatDuration(45)).toBe('45 s');
  expect(formatDuration(300, 60)).toBe('5 min');
  expect(formatDuration(330, 30)).toBe('5:30 min');
  expect(formatDuration(5400, 1800)).toBe('1:30 h');
  expect(formatDuration(360_000, 36_000)).toBe('100 h');
});
