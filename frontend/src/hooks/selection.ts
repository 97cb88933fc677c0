/** Which run and layer are shown; kept in TensorBoard's address. */

import { useCallback, useEffect, useState } from 'preact/hooks';
import type { RunSummary } from '../contract';
import { readSelection, writeSelection } from '../host/location';

export interface SelectionState {
  run: string | null;
  layer: string | null;
  selectRun: (run: string) => void;
  selectLayer: (layer: string | null) => void;
}

/** The run started last: the one that somebody is most likely waiting for. */
export function defaultRun(runs: readonly RunSummary[]): string | null {
  let newest: RunSummary | undefined;
  for (const run of runs) {
    if (!newest || (run.start_time ?? 0) > (newest.start_time ?? 0)) newest = run;
  }
  return newest?.name ?? null;
}

export function useSelection(runs: readonly RunSummary[] | null): SelectionState {
  const [selection, setSelection] = useState(readSelection);
  const known = runs?.some(({ name }) => name === selection.run) ?? false;

  useEffect(() => {
    // Chosen once: a run that appears later must not take the page from its reader.
    if (runs && runs.length > 0 && !known) setSelection({ run: defaultRun(runs), layer: null });
  }, [runs, known]);
  useEffect(() => {
    if (known) writeSelection(selection);
  }, [selection, known]);

  const selectRun = useCallback((run: string) => setSelection({ run, layer: null }), []);
  const selectLayer = useCallback(
    (layer: string | null) => setSelection((old) => ({ ...old, layer })),
    [],
  );
  return {
    run: known ? selection.run : null,
    layer: known ? selection.layer : null,
    selectRun,
    selectLayer,
  };
}
