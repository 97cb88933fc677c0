import type { Run, RunSummary } from '../contract';
import { formatInteger, plural } from '../data/format';
import { RunPicker } from './run_picker';

interface Props {
  runs: readonly RunSummary[];
  run: Run | null;
  selected: string | null;
  updated: number | null;
  onSelect: (run: string) => void;
}

function modelWords(run: Run): string {
  const { model } = run;
  const parts = model ? [model.name, model.optimizer, model.loss, model.backend] : [];
  return parts.filter(Boolean).join(' · ');
}

export function TopBar({ runs, run, selected, updated, onSelect }: Props) {
  const steps = run?.steps;
  return (
    <header class="top-bar">
      <RunPicker runs={runs} selected={selected} onSelect={onSelect} />
      {run && <span class="muted model-words">{modelWords(run)}</span>}
      <span class="spacer" />
      {steps && steps.last !== null && (
        <span>
          step {formatInteger(steps.last)}
          <span class="muted"> · {plural(steps.logged, 'logged step')}</span>
        </span>
      )}
      {updated !== null && (
        <span class="muted updated">
          <span class="live-dot" aria-hidden="true" />
          updated {new Date(updated).toLocaleTimeString('en-GB')}
        </span>
      )}
    </header>
  );
}
