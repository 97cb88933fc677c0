import { expect, test } from 'vitest';
import { compileFilter } from '../src/data/filter';

const paths = ['encoder/block_0/conv1', 'encoder/block_10/mlp', 'Head/dense'];
const matched = (text: string) => paths.filter(compileFilter(text, paths).test);

test('a regular expression chooses layers, in any case of letters', () => {
  expect(matched('block_\\d$|head')).toEqual(['Head/dense']);
  expect(matched('block_\\d+/')).toEqual(paths.slice(0, 2));
  expect(matched('^(encoder|decoder)/.*conv')).toEqual(paths.slice(0, 1));
  expect(matched('')).toEqual(paths);
});

test('what is not valid is said and hides nothing', () => {
  for (const text of ['(', '[a', 'a{2', '*', '\\', 'a)']) {
    const filter = compileFilter(text, paths);
    expect(filter.error).toMatch(/^Not valid/);
    expect(paths.every(filter.test)).toBe(true);
  }
});

test('what might never end is not begun', () => {
  const long = `${'a'.repeat(5000)}!`;
  for (const text of [
    '(a+)+$',
    '(a*)*b',
    '(a|a)*$',
    '(a|ab)+$',
    '((a+)b?)+$',
    '(.*)*x',
    'a*a*a*a*b',
    '([a-z]+)*$',
    'x'.repeat(1000),
    '(a{1,}){1,}$',
  ]) {
    const filter = compileFilter(text, [long]);
    expect(filter.error).toMatch(/^Not used/);
    expect(filter.test(long)).toBe(true);
  }
});

test('a filter that is too slow for so many layers is given up', () => {
  const many = Array.from({ length: 3000 }, (_, i) => `${'a'.repeat(120)}${i}`);
  const filter = compileFilter('a*a*a*b', many);
  expect(filter.error).toBe('Not used: too slow.');
  expect(many.every(filter.test)).toBe(true);
});
