/** What a person has chosen to see; kept in the address, to share and to reload. */

import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { RunSummary } from '../contract';
import { DEFAULT_VIEW, readView, watchView, writeView } from '../host/location';
import type { View } from '../host/location';

export interface ViewState {
  view: View;
  set: (change: Partial<View>) => void;
}

/** The run started last: the one that somebody is most likely waiting for. */
export function defaultRun(runs: readonly RunSummary[]): string | null {
  let newest: RunSummary | undefined;
  for (const run of runs) {
    if (!newest || (run.start_time ?? 0) > (newest.start_time ?? 0)) newest = run;
  }
  return newest?.name ?? null;
}

/** What concerns one run only, given up when another is picked. */
export function ofRun(run: string | null): Partial<View> {
  const { layer, kind, zoom, step, fold, pin, mute, variable } = DEFAULT_VIEW;
  return { run, layer, kind, zoom, step, fold, pin, mute, variable };
}

export function useView(runs: readonly RunSummary[] | null): ViewState {
  const [view, setView] = useState(readView);
  const set = useCallback((change: Partial<View>) => setView((old) => ({ ...old, ...change })), []);
  const known = runs?.some(({ name }) => name === view.run) ?? false;

  useLayoutEffect(() => {
    // Chosen once: a run that appears later must not take the page from its reader.
    if (runs && runs.length > 0 && !known) set(ofRun(defaultRun(runs)));
  }, [runs, known]);
  useEffect(() => {
    if (known) writeView(view);
  }, [view, known]);

  const latest = useRef(view);
  latest.current = view;
  // TensorBoard forgets our part of the address when another tab has been open.
  useEffect(() => watchView((next) => (next ? setView(next) : writeView(latest.current))), []);

  return { view: known ? view : { ...view, run: null, layer: null }, set };
}
