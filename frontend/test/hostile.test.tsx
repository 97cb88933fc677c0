// @vitest-environment happy-dom
import { render } from 'preact';
import { beforeEach, expect, test } from 'vitest';
import type { Finding, Run } from '../src/contract';
import { groupFindings } from '../src/data/groups';
import type { Group } from '../src/data/groups';
import { FindingCard } from '../src/views/finding_card';
import { Problems } from '../src/views/problems';
import { RunPicker } from '../src/views/run_picker';
import { VerdictBar } from '../src/views/verdict_bar';

const HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=1</script>&amp;';

const finding: Finding = {
  kind: HOSTILE,
  severity: 'critical',
  layers: [HOSTILE, `${HOSTILE}2`],
  since_step: 1,
  last_step: 2,
  active: true,
  evidence: { [HOSTILE]: HOSTILE },
  cause: HOSTILE,
  remedies: [{ title: HOSTILE, why: HOSTILE, snippet: HOSTILE }],
};

let root: HTMLElement;
beforeEach(() => {
  root = document.createElement('div');
  document.body.append(root);
});

/** The hostile text is there, and nothing of it has become an element. */
function isTextOnly(): boolean {
  return !root.querySelector('img, script') && (root.textContent ?? '').includes(HOSTILE);
}

test('a finding shows hostile names, causes and snippets as they are', () => {
  render(
    <FindingCard
      group={groupFindings([finding], finding.layers, 1)[0] as Group}
      pinned={false}
      muted={false}
      order={finding.layers}
      recorded={new Set(finding.layers)}
      selected={null}
      onOpen={() => {}}
      onPoint={() => {}}
      onShow={() => {}}
      onToggle={() => {}}
    />,
    root,
  );
  expect(isTextOnly()).toBe(true);
  expect(root.querySelector('pre')?.textContent).toBe(HOSTILE);
});

test('the verdict shows a hostile cause and kind as text', () => {
  const run = { findings: [finding], layers: [], verdict: 'unhealthy' } as unknown as Run;
  render(<VerdictBar run={run} filter={null} muted={1} onFilter={() => {}} />, root);
  expect(isTextOnly()).toBe(true);
});

test('problems and run names are text', () => {
  render(<Problems problems={[HOSTILE, HOSTILE]} />, root);
  expect(isTextOnly()).toBe(true);
  expect(root.querySelectorAll('[data-testid=problem]')).toHaveLength(1);
  const steps = { first: null, last: null, logged: 0 };
  const summary = {
    verdict: 'no data',
    kinds: [],
    steps,
    sick_layers: 0,
    start_time: null,
  } as const;
  const runs = [{ ...summary, kinds: [], name: HOSTILE }];
  render(<RunPicker runs={runs} selected={HOSTILE} ready onSelect={() => {}} />, root);
  expect(isTextOnly()).toBe(true);
});
