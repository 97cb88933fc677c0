import { describe, expect, it } from 'vitest';
import type { Probe } from '../src/contract';
import { probeLines } from '../src/data/probe';

const NOTHING: Probe = {
  step: 1,
  output_mean: null,
  output_std: null,
  output_max: null,
  nonfinite_share: null,
  zero_share: null,
  dead_share: null,
  saturated_share: null,
  gradient_norm: null,
  through_time: null,
  spectral_radius: null,
};

describe('probeLines', () => {
  it('says nothing of what was not measured', () => {
    expect(probeLines(NOTHING)).toEqual([]);
    expect(probeLines({ ...NOTHING, nonfinite_share: 0 })).toEqual([]);
  });

  it('writes shares as percent and the output with its deviation', () => {
    const probe = { ...NOTHING, output_mean: 0.5, output_std: 0.25, dead_share: 0.125 };
    expect(probeLines(probe)).toEqual([
      { label: 'Output', value: '0.5 ± 0.25' },
      { label: 'dead units', value: '12.5 %' },
    ]);
  });

  it('compares the first time step with the last', () => {
    const through_time = { steps: [0, 10, 99], norms: [1e-3, 0.1, 1] };
    const lines = probeLines({ ...NOTHING, through_time });
    expect(lines).toEqual([
      { label: 'first time step against the last', value: '1/1,000 over 100 time steps' },
    ]);
    const unknown = { steps: [0, 1], norms: [0, 1] };
    expect(probeLines({ ...NOTHING, through_time: unknown })).toEqual([]);
  });
});
