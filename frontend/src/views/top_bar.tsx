import { useState } from 'preact/hooks';
import type { Run, RunSummary } from '../contract';
import { formatInteger, plural } from '../data/format';
import type { View } from '../host/location';
import { Choice } from './choice';
import { RunPicker } from './run_picker';

interface Props {
  runs: readonly RunSummary[];
  run: Run | null;
  /** Whether the verdict is there, or is known not to come. */
  ready: boolean;
  view: View;
  set: (change: Partial<View>) => void;
  filterError: string | null;
  updated: number | null;
  /** Why nothing new comes, or null while it does. */
  still: string | null;
  paused: boolean;
  onPause: (() => void) | null;
  onSelect: (run: string) => void;
  onHelp: () => void;
}

const MOST_COMPARED = 3;

function modelWords(run: Run): string {
  const { model, size } = run;
  const parts = model ? [model.name, model.optimizer, model.loss, model.backend] : [];
  if (size) parts.push(plural(size.layers, 'layer'), plural(size.variables, 'variable'));
  return parts.filter(Boolean).join(' · ');
}

function Compare({ runs, view, set }: Pick<Props, 'runs' | 'view' | 'set'>) {
  const { compare } = view;
  // Hundreds of runs would hold up the first paint: they are listed once somebody looks.
  const [open, setOpen] = useState(false);
  const listed = runs.filter(({ name }) => open && name !== view.run);
  const toggle = (name: string, on: boolean): void => {
    set({
      compare: on ? [...compare, name] : compare.filter((other) => other !== name),
      ...(view.ratio === name && { ratio: null }),
    });
  };
  return (
    <details
      class="menu"
      onToggle={(event) => setOpen(event.currentTarget.open)}
      onFocusOut={({ currentTarget: menu, relatedTarget: next }) => {
        if (!menu.contains(next as Node | null)) menu.open = false;
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        const menu = event.currentTarget;
        menu.open = false;
        (menu.firstElementChild as HTMLElement).focus();
      }}
    >
      <summary data-testid="compare">
        Compare{compare.length > 0 && <b> {compare.length}</b>}
      </summary>
      <div class="menu-list" role="group" aria-label="Other runs" tabIndex={-1}>
        {listed.map(({ name }) => {
          const on = compare.includes(name);
          return (
            <label key={name}>
              <input
                type="checkbox"
                checked={on}
                disabled={!on && compare.length >= MOST_COMPARED}
                onChange={(event) => toggle(name, event.currentTarget.checked)}
              />
              {name}
            </label>
          );
        })}
        <span class="muted">{`up to ${MOST_COMPARED} runs`}</span>
      </div>
    </details>
  );
}

export function TopBar(props: Props) {
  const { runs, run, view, set, filterError, updated, still, paused, onPause, onHelp } = props;
  const steps = run?.steps;
  const words = run ? modelWords(run) : '';
  const live = (
    <>
      <span class={`live-dot ${still ? 'still' : ''}`} aria-hidden="true" />
      {still ??
        `live${updated === null ? '' : ` · ${new Date(updated).toLocaleTimeString('en-GB')}`}`}
    </>
  );
  return (
    <header class="top-bar">
      <RunPicker
        runs={runs}
        selected={view.run}
        title={words}
        ready={props.ready}
        onSelect={props.onSelect}
      />
      {runs.length > 1 && <Compare runs={runs} view={view} set={set} />}
      <label class="layer-filter">
        <span>Layers</span>
        <input
          type="search"
          placeholder="regex filter  /"
          data-testid="layer-filter"
          value={view.filter}
          aria-invalid={filterError !== null}
          aria-describedby="filter-error"
          onInput={(event) => set({ filter: event.currentTarget.value })}
        />
        <span id="filter-error" class="filter-error" role="status">
          {filterError}
        </span>
      </label>
      <Choice
        label="Horizontal axis"
        testid="axis"
        value={view.axis}
        options={[
          ['step', 'by step'],
          ['relative', 'relative time'],
          ['wall', 'wall time'],
        ]}
        onChange={(axis) => set({ axis })}
      />
      <label
        class="smoothing"
        title="Weight of the past in smoothed lines; the faint line is the data"
      >
        <span>Smooth</span>
        <input
          type="range"
          data-testid="smoothing"
          min={0}
          max={0.99}
          step={0.01}
          value={view.smooth}
          onInput={(event) => set({ smooth: Number(event.currentTarget.value) })}
        />
        <output>{view.smooth.toFixed(2)}</output>
      </label>
      <span class="muted model-words">{words}</span>
      {steps && steps.last !== null && (
        <span class="steps-words" title={plural(steps.logged, 'logged step')}>
          step {formatInteger(steps.last)}
        </span>
      )}
      {onPause ? (
        <button
          type="button"
          class="live"
          aria-pressed={paused}
          title={paused ? 'Follow the run again' : 'Stop following the run'}
          data-testid="live"
          onClick={onPause}
        >
          {live}
        </button>
      ) : (
        <span class="live muted">{live}</span>
      )}
      <button
        type="button"
        class="icon"
        aria-label="Keys and help"
        title="Keys (?)"
        onClick={onHelp}
      >
        ?
      </button>
    </header>
  );
}
