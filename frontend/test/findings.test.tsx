// @vitest-environment happy-dom
import { render } from 'preact';
import { expect, test, vi } from 'vitest';
import type { Finding, Run } from '../src/contract';
import { groupFindings } from '../src/data/groups';
import { Findings } from '../src/views/findings';

const order = ['a/x', 'a/y', 'head'];
const finding = (kind: string, layers: string[], since: number): Finding => ({
  kind,
  severity: 'warning',
  layers,
  since_step: since,
  last_step: 90,
  active: true,
  evidence: {},
  cause: 'A cause.',
  remedies: [],
});

const nothing = (): void => {};

/** What is shown and said of the findings, one set after another. */
function harness() {
  const root = document.createElement('div');
  const toggled: string[] = [];
  const show = (findings: Finding[], change: { mutes?: string[]; pins?: string[] } = {}): void => {
    const run = { name: 'r', verdict: 'unhealthy', findings, rules: [], notes: [] };
    render(
      <Findings
        run={run as unknown as Run}
        groups={groupFindings(findings, order, 100)}
        kind={null}
        pins={change.pins ?? []}
        mutes={change.mutes ?? []}
        fileName="f"
        order={order}
        recorded={new Set(order)}
        selected={null}
        onOpen={nothing}
        onShow={nothing}
        onPoint={nothing}
        onToggle={(what, { id }) => toggled.push(`${what} ${id}`)}
        onClearKind={nothing}
      />,
      root,
    );
  };
  const news = () => root.querySelector('[data-testid=news]')?.textContent;
  const cards = () =>
    [...root.querySelectorAll<HTMLElement>('[data-group]')].map((card) => card.dataset['group']);
  return { root, show, news, cards, toggled };
}

const old = finding('dead', ['head'], 5);
const fresh = finding('vanishing', ['a/x', 'a/y'], 80);

test('only findings that have come since are announced', async () => {
  const { show, news } = harness();
  show([old]);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(news()).toBe('');
  show([old, fresh]);
  await vi.waitFor(() => expect(news()).toBe('New finding. vanishing: a/x, a/y (2 layers)'));
  // The same again is no news.
  show([{ ...old, last_step: 95 }, fresh]);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(news()).toContain('vanishing');
});

test('pinned cards come first and muted ones last', () => {
  const { show, cards, toggled, root } = harness();
  show([old, fresh]);
  const [dead = '', vanishing = ''] = cards();
  show([old, fresh], { pins: [vanishing] });
  expect(cards()).toEqual([vanishing, dead]);
  show([old, fresh], { mutes: [dead] });
  expect(cards()).toEqual([vanishing, dead]);
  expect(root.querySelector('[data-testid=muted]')?.textContent).toContain('1 muted finding');
  for (const button of root.querySelectorAll('button')) {
    if (button.textContent === 'Unmute') button.click();
  }
  expect(toggled).toEqual([`mute ${dead}`]);
});
