import type { ComponentChildren } from 'preact';
import type { Layer } from '../contract';
import { plural } from '../data/format';

interface Props {
  path: string;
  layer: Layer | undefined;
  /** Layers of the heatmap in forward order, to step through. */
  order: readonly string[];
  onSelect: (layer: string | null) => void;
  children: ComponentChildren;
}

function words(layer: Layer): string {
  return [
    layer.type,
    layer.activation,
    layer.initializer,
    plural(layer.parameters, 'weight'),
    layer.trainable ? '' : 'frozen',
  ]
    .filter(Boolean)
    .join(' · ');
}

/** Which layer is open, its neighbours, and the way back. */
export function DetailHead({ path, layer, order, onSelect, children }: Props) {
  const at = order.indexOf(path);
  const step = (offset: 1 | -1, label: string, glyph: string) => {
    const target = at < 0 ? undefined : order[at + offset];
    return (
      <button
        type="button"
        class="icon"
        aria-label={label}
        title={target === undefined ? label : `${label}: ${target}`}
        disabled={target === undefined}
        onClick={() => target !== undefined && onSelect(target)}
      >
        {glyph}
      </button>
    );
  };
  return (
    <div class="detail-head">
      <h3 title={path}>{path}</h3>
      {layer && <span class="muted">{words(layer)}</span>}
      <span class="spacer" />
      {children}
      {step(-1, 'Previous layer', '↑')}
      {step(1, 'Next layer', '↓')}
      <button type="button" onClick={() => onSelect(null)}>
        Close <kbd>Esc</kbd>
      </button>
    </div>
  );
}
