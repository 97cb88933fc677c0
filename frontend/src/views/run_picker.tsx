import { useEffect, useState } from 'preact/hooks';
import type { RunSummary } from '../contract';
import { plural } from '../data/format';
import { kindOf } from '../data/kinds';

interface Props {
  runs: readonly RunSummary[];
  selected: string | null;
  /** What the run is of. */
  title?: string;
  /** Whether the verdict is there, which a hundred options would hold up. */
  ready: boolean;
  onSelect: (run: string) => void;
}

function describe(run: RunSummary): string {
  if (run.verdict === 'unknown') return run.name;
  if (run.verdict === 'no data') return `${run.name} (no data yet)`;
  if (run.verdict === 'healthy') return `✓ ${run.name} (healthy)`;
  const glyphs = run.kinds.map((kind) => kindOf(kind).glyph).join('');
  const sick = run.sick_layers > 0 ? plural(run.sick_layers, 'sick layer') : 'sick';
  return `${glyphs} ${run.name} (${sick})`;
}

export function RunPicker({ runs, selected, title, ready, onSelect }: Props) {
  const [listed, setListed] = useState(false);
  useEffect(() => setListed((was) => was || ready), [ready]); // after the frame is painted
  const shown = listed ? runs : runs.filter(({ name }) => name === selected);
  return (
    <label class="run-picker">
      <span>Run</span>
      <select
        data-testid="run-picker"
        title={title}
        value={selected ?? ''}
        onChange={(event) => onSelect(event.currentTarget.value)}
      >
        {shown.map((run) => (
          <option key={run.name} value={run.name}>
            {describe(run)}
          </option>
        ))}
      </select>
    </label>
  );
}
