import { plural } from '../data/format';
import { Snippet } from './snippet';

const SNIPPET = `from tb_gradplugin.callbacks import GradientMonitor

model.fit(x, y, callbacks=[GradientMonitor("logs/run1")])`;

interface Props {
  title: string;
  /** Runs that TensorBoard has found, or null while unknown. */
  scanned: number | null;
}

export function EmptyState({ title, scanned }: Props) {
  return (
    <main class="empty-state" data-testid="empty-state">
      <h1>{title}</h1>
      <p>
        {scanned === null
          ? 'No run of this log directory has gradient data. '
          : scanned === 0
            ? 'TensorBoard has found no run in this log directory yet. '
            : `${plural(scanned, 'run')} scanned, none with gradient data. `}
        Add one callback to <code>model.fit</code>:
      </p>
      <Snippet code={SNIPPET} what="code that records gradients" />
      <p class="muted">
        The monitor writes below the folder it is given; start TensorBoard on the folder above it (
        <code>tensorboard --logdir logs</code>). This page updates by itself as soon as the first
        step is logged.
      </p>
    </main>
  );
}
