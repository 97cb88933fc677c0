import { useEffect, useRef } from 'preact/hooks';

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ['← → ↑ ↓', 'move the cell of the heatmap'],
  ['Page Up, Page Down', 'move by 20 rows'],
  ['Enter', 'open the layer, unfold a module'],
  ['F', 'fold or unfold the module of the row'],
  ['Esc', 'close the layer; let go of the step'],
  ['N, P', 'next, previous finding; Enter shows it'],
  ['+, −, 0', 'zoom in and out around the step, show all steps'],
  ['/', 'filter the layers'],
  ['?', 'this list'],
];

/** The keys, in a dialog that the browser itself makes modal. */
export function Help({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal?.(), []);
  return (
    <dialog ref={dialog} aria-labelledby="help-title" data-testid="help" onClose={onClose}>
      <h2 id="help-title">Keys</h2>
      <dl>
        {KEYS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="muted">
        With the mouse: drag over any picture to zoom, double-click a line chart to see all steps,
        click to pin the step, click a bracket at the left of the heatmap to fold its module.
      </p>
      <button type="button" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  );
}
