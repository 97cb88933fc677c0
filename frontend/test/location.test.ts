import { expect, test } from 'vitest';
import { parseSelection, withSelection } from '../src/host/location';

test('a selection survives the way through the address', () => {
  const selection = { run: 'a/b & c=d #1 %', layer: 'encoder/層' };
  expect(parseSelection(withSelection('#gradients', selection))).toEqual(selection);
});

test('what belongs to others in the hash stays', () => {
  const hash = '#gradients&p.other.x=1&p.gradients.run=old&smoothing=0.6';
  expect(withSelection(hash, { run: 'new', layer: null })).toBe(
    '#gradients&p.other.x=1&smoothing=0.6&p.gradients.run=new',
  );
});

test('a damaged escape is no selection', () => {
  expect(parseSelection('#gradients&p.gradients.run=%E5%B')).toEqual({ run: null, layer: null });
});
