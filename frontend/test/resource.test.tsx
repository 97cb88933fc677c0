// @vitest-environment happy-dom
import { render } from 'preact';
import { expect, test, vi } from 'vitest';
import { useResource } from '../src/hooks/resource';
import type { Resource } from '../src/hooks/resource';

type Settle = { resolve: (value: string) => void; reject: (error: Error) => void };

/** A component that loads on demand, and the requests it has made. */
function harness() {
  const requests: Settle[] = [];
  let latest: Resource<string> | undefined;
  const root = document.createElement('div');
  function Probe({ name, version }: { name: string | null; version: number }) {
    latest = useResource(
      name,
      version,
      () => new Promise<string>((resolve, reject) => requests.push({ resolve, reject })),
    );
    return null;
  }
  const show = async (name: string | null, version = 0): Promise<void> => {
    render(<Probe name={name} version={version} />, root);
    await vi.waitFor(() => expect(latest?.loading).toBe(name !== null));
  };
  const settled = (check: (resource: Resource<string>) => void) =>
    vi.waitFor(() => check(latest as Resource<string>));
  return { requests, show, settled, latest: () => latest as Resource<string> };
}

test('a reply to an earlier question is discarded', async () => {
  const { requests, show, settled } = harness();
  await show('run1');
  await vi.waitFor(() => expect(requests).toHaveLength(1));
  await show('run2');
  await vi.waitFor(() => expect(requests).toHaveLength(2));
  requests[1]?.resolve('two');
  await settled(({ data }) => expect(data).toBe('two'));
  requests[0]?.resolve('one');
  await new Promise((resolve) => setTimeout(resolve, 20));
  await settled(({ data }) => expect(data).toBe('two'));
});

test('a new version keeps the old data, and keeps it when it fails', async () => {
  const { requests, show, settled, latest } = harness();
  await show('run1');
  await vi.waitFor(() => expect(requests).toHaveLength(1));
  requests[0]?.resolve('old');
  await settled(({ data }) => expect(data).toBe('old'));
  await show('run1', 1);
  await vi.waitFor(() => expect(requests).toHaveLength(2));
  expect(latest().data).toBe('old');
  requests[1]?.reject(new Error('gone'));
  await settled(({ error }) => expect(error?.message).toBe('gone'));
  expect(latest().data).toBe('old');
  latest().retry();
  await vi.waitFor(() => expect(requests).toHaveLength(3));
  requests[2]?.resolve('new');
  await settled(({ data, error }) => expect([data, error]).toEqual(['new', null]));
});

test('another key never shows the data of the one before', async () => {
  const { requests, show, settled, latest } = harness();
  await show('run1');
  await vi.waitFor(() => expect(requests).toHaveLength(1));
  requests[0]?.resolve('one');
  await settled(({ data }) => expect(data).toBe('one'));
  await show('run2');
  expect(latest().data).toBeNull();
});
