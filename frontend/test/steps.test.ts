import { describe, expect, test } from 'vitest';
import { decadeTicks, domainOf, nearestIndex, stepTicks } from '../src/data/steps';

describe('the step axis', () => {
  test('the domain spans all series', () => {
    expect(domainOf([5, 10, 20], [], [1, 15])).toEqual({ min: 1, max: 20 });
  });

  test('a single step gets room on both sides and no data a valid range', () => {
    expect(domainOf([7])).toEqual({ min: 6.5, max: 7.5 });
    expect(domainOf([])).toEqual({ min: 0, max: 1 });
  });

  test('the nearest of irregular steps is found by distance, not by index', () => {
    const steps = [1, 2, 3, 100, 1000];
    expect(nearestIndex(steps, 60)).toBe(3);
    expect(nearestIndex(steps, 40)).toBe(2);
    expect(nearestIndex(steps, -5)).toBe(0);
    expect(nearestIndex(steps, 1e9)).toBe(4);
    expect(nearestIndex([], 3)).toBe(-1);
  });

  test('every nearest index agrees with a linear search', () => {
    const steps = [1, 2, 4, 7, 11, 16, 40, 41];
    for (let target = -2; target < 50; target += 0.25) {
      const distances = steps.map((step) => Math.abs(step - target));
      expect(distances[nearestIndex(steps, target)]).toBe(Math.min(...distances));
    }
  });

  test('ticks are whole, round and within the limit', () => {
    expect(stepTicks({ min: 1, max: 168 }, 9)).toEqual([20, 40, 60, 80, 100, 120, 140, 160]);
    expect(stepTicks({ min: 1, max: 3 }, 10)).toEqual([1, 2, 3]);
    for (const max of [2, 9, 77, 1001, 123456]) {
      for (const limit of [2, 5, 9]) {
        const ticks = stepTicks({ min: 1, max }, limit);
        expect(ticks.length).toBeLessThanOrEqual(limit + 1);
        expect(ticks.every(Number.isInteger)).toBe(true);
      }
    }
  });
});

describe('the log axis', () => {
  test('ticks are the powers of ten in range', () => {
    expect(decadeTicks(1e-3, 10, 9)).toEqual([1e-3, 1e-2, 0.1, 1, 10]);
  });

  test('a wide range is thinned', () => {
    expect(decadeTicks(1e-9, 1, 4)).toEqual([1e-9, 1e-6, 1e-3, 1]);
  });

  test('ticks end even where float32 hardly reaches', () => {
    expect(decadeTicks(1e-38, 1e-28, 5).length).toBeLessThanOrEqual(5);
  });
});
