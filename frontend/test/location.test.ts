import { expect, test } from 'vitest';
import { DEFAULT_VIEW, parseView, withView } from '../src/host/location';
import type { View } from '../src/host/location';

test('a whole view survives the way through the address', () => {
  const view: View = {
    run: 'a/b & c=d #1 %',
    compare: ['x,y', 'z'],
    layer: 'encoder/層',
    filter: '^enc.*(a|b)+,$',
    kind: 'dead',
    order: 'worst',
    axis: 'wall',
    smooth: 0.6,
    zoom: [3.5, 120],
    step: 47,
    fold: [],
    pin: ['vanishing@3@a/b'],
    mute: ['dead@1@x', 'slow@2@'],
    variable: 'encoder/層/kernel',
    picture: 'map',
    of: 'weights',
    mode: 'bands',
    ratio: 'z',
  };
  // An empty list of folds says "unfold all", which is not what the page would choose itself.
  expect(parseView(withView('#gradients', view))).toEqual(view);
});

test('what is as it always is stays out of the address', () => {
  expect(withView('#gradients', { ...DEFAULT_VIEW, run: 'run1' })).toBe(
    '#gradients&p.gradients.run=run1',
  );
});

test('what belongs to others in the hash stays', () => {
  const hash = '#gradients&p.other.x=1&p.gradients.run=old&smoothing=0.6';
  expect(withView(hash, { ...DEFAULT_VIEW, run: 'new' })).toBe(
    '#gradients&p.other.x=1&smoothing=0.6&p.gradients.run=new',
  );
});

test('nonsense in an address is as good as nothing', () => {
  const nonsense = [
    'run=%E5%B',
    'axis=sideways',
    'zoom=9,3',
    'zoom=1',
    'zoom=a,b',
    'step=NaN',
    'smooth=',
    'order=constructor',
    'constructor=1',
    '__proto__=1',
  ];
  for (const part of nonsense) {
    expect(parseView(`#gradients&p.gradients.${part}`)).toEqual(DEFAULT_VIEW);
  }
  expect(parseView('#gradients&p.gradients.smooth=7').smooth).toBe(0.99);
  expect(parseView('#p.gradients.compare=a,b,c,d,e').compare).toEqual(['a', 'b', 'c']);
});
