import { describe, expect, test } from 'vitest';
import type { Finding, Layer } from '../src/contract';
import { countKinds, verdictSentence, worstCause } from '../src/data/verdict';

function finding(change: Partial<Finding>): Finding {
  return {
    kind: 'vanishing',
    severity: 'critical',
    layers: ['dense_0'],
    since_step: 3,
    last_step: 168,
    active: true,
    evidence: {},
    cause: 'The gradient shrinks.',
    remedies: [{ title: 'Use ReLU', why: '', snippet: '' }],
    ...change,
  };
}

const layers = Array.from({ length: 13 }, (_, i): Layer => ({
  path: `dense_${i}`,
  type: 'Dense',
  activation: null,
  initializer: null,
  trainable: true,
  parameters: 1,
  recorded: i < 12,
}));
const run = (findings: Finding[], verdict: 'healthy' | 'unhealthy' | 'no data' = 'unhealthy') => ({
  findings,
  layers,
  verdict,
});

describe('the verdict', () => {
  test('counts each sick layer once, among those with a gradient, since the first onset', () => {
    const both = run([
      finding({ layers: ['dense_0', 'dense_1'], since_step: 1200 }),
      finding({ kind: 'dead', layers: ['dense_1', 'dense_2'], since_step: 4800 }),
    ]);
    expect(verdictSentence(both)).toBe('3 of 12 layers are sick since step 1,200');
  });

  test('does not count healed findings', () => {
    const one = run([finding({}), finding({ layers: ['dense_5'], since_step: 1, active: false })]);
    expect(verdictSentence(one)).toBe('1 of 12 layers is sick since step 3');
  });

  test('says so when nothing is wrong', () => {
    expect(verdictSentence(run([], 'healthy'))).toBe('All 12 layers are healthy');
  });

  test('says what has healed', () => {
    expect(verdictSentence(run([finding({ active: false })], 'healthy'))).toBe(
      'All 12 layers are healthy now; 1 finding healed',
    );
  });

  test('names the run where a finding has no layers', () => {
    expect(verdictSentence(run([finding({ layers: [] })]))).toBe('The run is sick since step 3');
  });

  test('does not call a run without data healthy', () => {
    expect(verdictSentence(run([], 'no data'))).toBe('No gradients are recorded yet');
  });
});

test('kinds keep the order of the findings and count distinct layers', () => {
  const kinds = countKinds([
    finding({ kind: 'nonfinite', layers: ['a'] }),
    finding({ layers: ['a', 'b'] }),
    finding({ layers: ['b', 'c'] }),
    finding({ kind: 'dead', layers: ['d'], active: false }),
  ]);
  expect(kinds).toEqual([
    { kind: 'nonfinite', layers: 1, findings: 1, active: true },
    { kind: 'vanishing', layers: 3, findings: 2, active: true },
    { kind: 'dead', layers: 1, findings: 1, active: false },
  ]);
});

test('the worst cause is that of the first active finding, with its first remedy', () => {
  const findings = [finding({ active: false, cause: 'old' }), finding({ cause: 'now' })];
  expect(worstCause(findings)).toEqual({ cause: 'now', remedy: 'Use ReLU' });
  expect(worstCause([finding({ remedies: [] })])?.remedy).toBeNull();
  expect(worstCause([])).toBeNull();
});
