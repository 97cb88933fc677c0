import { expect, test } from 'vitest';
import type { Finding } from '../src/contract';
import { groupFindings } from '../src/data/groups';

const finding = (kind: string, layers: string[], since: number, active = true): Finding => ({
  kind,
  severity: 'critical',
  layers,
  since_step: since,
  last_step: 100,
  active,
  evidence: {},
  cause: `cause at ${since}`,
  remedies: [],
});
const order = ['a/b0/x', 'a/b0/y', 'c/b1/x', 'c/b1/y', 'head'];

test('twelve like findings of a block are one card', () => {
  const findings = Array.from({ length: 12 }, (_, i) =>
    finding('vanishing', [order[i % 2] as string], 50 - (i % 5)),
  );
  const [group, ...more] = groupFindings(findings, order, 1000);
  expect(more).toEqual([]);
  expect(group?.layers).toEqual(['a/b0/x', 'a/b0/y']);
  expect([group?.since, group?.module, group?.findings.length]).toEqual([46, 'a', 12]);
});

test('another kind, block, onset or state is a card of its own', () => {
  const groups = groupFindings(
    [
      finding('vanishing', ['a/b0/x', 'a/b0/y'], 10),
      finding('dead', ['a/b0/x', 'a/b0/y'], 10),
      finding('vanishing', ['c/b1/x', 'c/b1/y'], 10),
      finding('vanishing', ['a/b0/x', 'a/b0/y'], 900),
      finding('vanishing', ['a/b0/x', 'a/b0/y'], 10, false),
      { ...finding('vanishing', ['a/b0/x', 'a/b0/y'], 10), cause_id: 'other' },
      finding('slow', [], 10),
    ],
    order,
    1000,
  );
  expect(groups).toHaveLength(7);
  expect(new Set(groups.map(({ id }) => id)).size).toBe(7);
  expect(groups.at(-1)?.id).toBe('slow@10@');
});

test('the order of the worst is kept, and an id does not change as the run grows', () => {
  const early = [finding('dead', ['head'], 5), finding('vanishing', ['a/b0/x'], 7)];
  const late = [...early, finding('vanishing', ['a/b0/y'], 9)].map((f) => ({
    ...f,
    last_step: 999,
  }));
  const ids = groupFindings(early, order, 1000).map(({ id }) => id);
  expect(ids[0]).toBe('dead@5@head');
  expect(groupFindings(late, order, 2000).map(({ id }) => id)).toEqual(ids);
});
