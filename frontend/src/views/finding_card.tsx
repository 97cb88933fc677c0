import type { Finding, Remedy } from '../contract';
import { evidenceLines } from '../data/evidence';
import { formatInteger } from '../data/format';
import { kindOf } from '../data/kinds';
import { summarizeLayers } from '../data/layers';
import { KindBadge } from './kind_badge';
import { Snippet } from './snippet';

interface Props {
  finding: Finding;
  /** All layers in forward order. */
  order: readonly string[];
  recorded: ReadonlySet<string>;
  selected: string | null;
  onOpen: (layer: string) => void;
  onPoint: (layers: readonly string[]) => void;
}

function when({ active, since_step: since, last_step: last }: Finding): string {
  return active
    ? `since step ${formatInteger(since)}, last seen at step ${formatInteger(last)}`
    : `steps ${formatInteger(since)} to ${formatInteger(last)}, healed since`;
}

function LayerList({ finding, order, recorded, selected, onOpen }: Props) {
  const { layers } = finding;
  const button = (layer: string, text: string) =>
    recorded.has(layer) ? (
      <button
        type="button"
        class="link"
        aria-current={layer === selected}
        onClick={() => onOpen(layer)}
      >
        {text}
      </button>
    ) : (
      text
    );
  if (layers.length === 1) {
    return <div class="finding-layers">{button(layers[0] as string, layers[0] as string)}</div>;
  }
  return (
    <details class="finding-layers">
      <summary>{summarizeLayers(layers, order)}</summary>
      <ul>
        {layers.map((layer) => (
          <li key={layer}>{button(layer, layer)}</li>
        ))}
      </ul>
    </details>
  );
}

function RemedyItem({ remedy, open }: { remedy: Remedy; open: boolean }) {
  return (
    <details class="remedy" open={open}>
      <summary>{remedy.title}</summary>
      {remedy.why && <p>{remedy.why}</p>}
      {remedy.snippet && <Snippet code={remedy.snippet} what={`code: ${remedy.title}`} />}
    </details>
  );
}

/** One finding: what, where, since when, how we know, and what to change. */
export function FindingCard(props: Props) {
  const { finding, onOpen, onPoint, recorded } = props;
  const { colour } = kindOf(finding.kind);
  const evidence = evidenceLines(finding.evidence);
  const first = finding.layers.find((layer) => recorded.has(layer));
  return (
    <article
      class={`finding kind-${colour} ${finding.active ? 'active' : 'healed'}`}
      data-testid="finding-card"
      data-kind={finding.kind}
      data-active={finding.active}
      onMouseEnter={() => onPoint(finding.layers)}
      onMouseLeave={() => onPoint([])}
    >
      <h3>
        <KindBadge kind={finding.kind} />
        <span class={`badge ${finding.severity}`}>{finding.severity}</span>
        {!finding.active && <span class="badge">healed</span>}
      </h3>
      <LayerList {...props} />
      <p class="muted finding-when">{when(finding)}</p>
      <p class="finding-cause">{finding.cause}</p>
      {evidence.length > 0 && (
        <dl class="evidence">
          {evidence.map(({ label, value }) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {finding.remedies.length > 0 && (
        <div class="remedies">
          <h4>What to change</h4>
          {finding.remedies.map((remedy, i) => (
            <RemedyItem key={remedy.title} remedy={remedy} open={i === 0 && finding.active} />
          ))}
        </div>
      )}
      {first !== undefined && (
        <button type="button" class="show" onClick={() => onOpen(first)}>
          Show {finding.layers.length > 1 ? 'the first layer' : 'the layer'}
        </button>
      )}
    </article>
  );
}
