/** One piece of data from the server: loading, failed, stale or there. */

import { useCallback, useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface Resource<T> {
  data: T | null;
  /** Set while `data`, if any, is what an earlier, successful request brought. */
  error: Error | null;
  loading: boolean;
  retry: () => void;
}

interface State<T> {
  key: string | null;
  data: T | null;
  error: Error | null;
  loading: boolean;
}

/**
 * Loads `key` (`load` is told what is held of it); a new `key` starts empty, a new `version` keeps the old data until the reply.
 * A null key loads nothing. Replies to anything but the latest request are discarded.
 */
export function useResource<T>(
  key: string | null,
  version: string | number,
  load: (signal: AbortSignal, held: T | null) => Promise<T>,
): Resource<T> {
  const [state, setState] = useState<State<T>>({
    key: null,
    data: null,
    error: null,
    loading: false,
  });
  const [attempt, setAttempt] = useState(0);
  const latestLoad = useRef(load);
  latestLoad.current = load;
  const held = useRef<State<T> | null>(null);
  held.current = state;

  // Asks before the browser paints: a frame takes longer than many an answer.
  useLayoutEffect(() => {
    if (key === null) return undefined;
    const controller = new AbortController();
    const update = (change: Partial<State<T>>): void => {
      if (controller.signal.aborted) return;
      setState((old) => ({
        ...(old.key === key ? old : { data: null, error: null }),
        loading: false,
        ...change,
        key,
      }));
    };
    update({ loading: true });
    const { current } = held;
    latestLoad.current(controller.signal, current?.key === key ? current.data : null).then(
      (data) => update({ data, error: null }),
      (error: unknown) =>
        update({ error: error instanceof Error ? error : new Error(String(error)) }),
    );
    return () => controller.abort();
  }, [key, version, attempt]);

  const retry = useCallback(() => setAttempt((n) => n + 1), []);
  return state.key === key && key !== null
    ? { data: state.data, error: state.error, loading: state.loading, retry }
    : { data: null, error: null, loading: key !== null, retry };
}
