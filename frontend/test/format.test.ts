import { expect, test } from 'vitest';
import {
  formatFactor,
  formatInteger,
  formatNumber,
  formatPercent,
  formatTicks,
  plural,
} from '../src/data/format';

test('numbers have three significant digits', () => {
  expect(formatNumber(0.123456)).toBe('0.123');
  expect(formatNumber(2.4004)).toBe('2.4');
  expect(formatNumber(61234.5)).toBe('61,235');
  expect(formatNumber(-7.12345)).toBe('−7.12');
});

test('ticks close together get as many digits as it takes to tell them apart', () => {
  expect(formatTicks([0, 0.5, 1])).toEqual(['0', '0.5', '1']);
  expect(formatTicks([2.411, 2.4115, 2.412])).toEqual(['2.4110', '2.4115', '2.4120']);
  expect(formatTicks([])).toEqual([]);
});

test('very small and very large numbers are scientific', () => {
  expect(formatNumber(3.1e-7)).toBe('3.1e−7');
  expect(formatNumber(1e-3)).toBe('0.001');
  expect(formatNumber(9.99e-4)).toBe('9.99e−4');
  expect(formatNumber(1.5e12)).toBe('1.5e12');
});

test('zero is zero and what is missing is a dash', () => {
  expect(formatNumber(0)).toBe('0');
  expect(formatNumber(null)).toBe('—');
  expect(formatNumber(NaN)).toBe('—');
});

test('thousands are separated', () => {
  expect(formatInteger(1234567)).toBe('1,234,567');
});

test('a share that exists never reads as 0 %, nor an incomplete one as 100 %', () => {
  expect(formatPercent(0)).toBe('0 %');
  expect(formatPercent(1e-9)).toBe('< 0.1 %');
  expect(formatPercent(0.41)).toBe('41 %');
  expect(formatPercent(0.9999)).toBe('> 99.9 %');
  expect(formatPercent(1)).toBe('100 %');
});

test('decades read as factors, below one as a fraction', () => {
  expect(formatFactor(-3)).toBe('1/1,000');
  expect(formatFactor(-0.9)).toBe('1/7.9');
  expect(formatFactor(1.5)).toBe('32×');
  expect(formatFactor(-7)).toBe('1/1e7');
});

test('one is singular', () => {
  expect(plural(1, 'layer')).toBe('1 layer');
  expect(plural(1200, 'layer')).toBe('1,200 layers');
  expect(plural(0, 'layer')).toBe('0 layers');
});
