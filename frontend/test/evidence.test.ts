import { expect, test } from 'vitest';
import { evidenceLine, evidenceLines } from '../src/data/evidence';

test('what the rules measure has words and units', () => {
  expect(evidenceLine('attenuation_decades', 3.9)).toEqual({
    label: 'Against the strongest layer',
    value: '1/7,900 (3.9 decades)',
  });
  expect(evidenceLine('norm_growth_decades', 3).value).toBe('1,000× (3 decades)');
  expect(evidenceLine('depth_slope_decades', 0.47).value).toBe('0.47 decades a layer');
  expect(evidenceLine('nan_elements', 60457).value).toBe('60,457 elements');
  expect(evidenceLine('share_of_elements', 0.41).value).toBe('41 %');
  expect(evidenceLine('had_gradient_before', 1).value).toBe('yes');
  expect(evidenceLine('sign', 'blow_up')).toEqual({
    label: 'Shown by',
    value: 'a blow-up to NaN or Inf',
  });
  expect(evidenceLine('zero_since_step', 4800).value).toBe('step 4,800');
});

test('measures of a later version get their unit from their name', () => {
  expect(evidenceLine('dead_unit_fraction', 0.5)).toEqual({
    label: 'Dead unit fraction',
    value: '50 %',
  });
  expect(evidenceLine('onset_step', 12)).toEqual({ label: 'Onset', value: 'step 12' });
  expect(evidenceLine('rms_of_x', 1.23456)).toEqual({ label: 'RMS of x', value: '1.23' });
});

test('lists are cut short with their length', () => {
  expect(evidenceLine('norms', [1, 2, 3, 4, 5, 6, 7, 8]).value).toBe(
    '1, 2, 3, 4, 5, 6, … (8 values)',
  );
});

test('the names of built-in object members are no measures', () => {
  expect(evidenceLine('constructor', 1)).toEqual({ label: 'Constructor', value: '1' });
  expect(evidenceLine('origin', 'toString').value).toBe('toString');
});

test('what is unknown is left out', () => {
  expect(evidenceLines({ loss: null, learning_rate: 0.001 })).toEqual([
    { label: 'Learning rate', value: '0.001' },
  ]);
});
