import type { Finding, Remedy } from '../contract';
import { evidenceLines } from '../data/evidence';
import type { EvidenceLine } from '../data/evidence';
import { formatInteger, plural } from '../data/format';
import type { Group } from '../data/groups';
import { kindOf } from '../data/kinds';
import { summarizeLayers } from '../data/layers';
import { KindBadge } from './kind_badge';
import { Snippet } from './snippet';

export interface CardActions {
  /** All layers in forward order. */
  order: readonly string[];
  recorded: ReadonlySet<string>;
  selected: string | null;
  onOpen: (layer: string) => void;
  onShow: (group: Group) => void;
  onPoint: (layers: readonly string[]) => void;
  /** Pins or mutes a group, or takes that back. */
  onToggle: (what: 'pin' | 'mute', group: Group) => void;
}

interface Props extends CardActions {
  group: Group;
  pinned: boolean;
  muted: boolean;
}

function when({ active, since, last, findings }: Group): string {
  const latest = Math.max(...findings.map((finding) => finding.since_step));
  const start =
    latest > since ? `${formatInteger(since)} to ${formatInteger(latest)}` : formatInteger(since);
  return active
    ? `since step ${start}, last seen at step ${formatInteger(last)}`
    : `steps ${formatInteger(since)} to ${formatInteger(last)}, healed since`;
}

function LayerList({ group, order, recorded, selected, onOpen }: Props) {
  const { layers } = group;
  const button = (layer: string) =>
    recorded.has(layer) ? (
      <button
        type="button"
        class="link"
        aria-current={layer === selected}
        onClick={() => onOpen(layer)}
      >
        {layer}
      </button>
    ) : (
      layer
    );
  if (layers.length === 1) {
    return <div class="finding-layers">{button(layers[0] as string)}</div>;
  }
  return (
    <details class="finding-layers">
      <summary>{summarizeLayers(layers, order)}</summary>
      <ul>
        {layers.map((layer) => (
          <li key={layer}>{button(layer)}</li>
        ))}
      </ul>
    </details>
  );
}

export function RemedyItem({ remedy, open }: { remedy: Remedy; open: boolean }) {
  return (
    <details class="remedy" open={open}>
      <summary>{remedy.title}</summary>
      {remedy.why && <p>{remedy.why}</p>}
      {remedy.snippet && <Snippet code={remedy.snippet} what={`code: ${remedy.title}`} />}
    </details>
  );
}

export function Evidence({ lines }: { lines: readonly EvidenceLine[] }) {
  if (lines.length === 0) return null;
  return (
    <dl class="evidence">
      {lines.map(({ label, value }) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** One group of findings: what, where, since when, how we know, and what to change. */
export function FindingCard(props: Props) {
  const { group, pinned, muted, onShow, onPoint, onToggle } = props;
  const { kind, active, findings } = group;
  const { colour } = kindOf(kind);
  const worst = findings[0] as Finding;
  return (
    <article
      class={`finding kind-${colour} ${active ? 'active' : 'healed'} ${pinned ? 'pinned' : ''}`}
      data-testid="finding-card"
      data-panel
      data-group={group.id}
      data-kind={kind}
      data-active={active}
      tabIndex={-1}
      onMouseEnter={() => onPoint(group.layers)}
      onMouseLeave={() => onPoint([])}
      onFocus={() => onPoint(group.layers)}
      onBlur={() => onPoint([])}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' || event.target !== event.currentTarget) return;
        event.stopPropagation();
        onShow(group);
      }}
    >
      <h3>
        <KindBadge kind={kind} />
        <span class={`badge ${worst.severity}`}>{worst.severity}</span>
        {!active && <span class="badge">healed</span>}
        {pinned && <span class="badge">pinned</span>}
      </h3>
      <LayerList {...props} />
      <p class="muted finding-when">{when(group)}</p>
      <p class="finding-cause">{worst.cause}</p>
      {findings.length > 1 && (
        <p class="muted finding-when">The worst of {plural(findings.length, 'like finding')}:</p>
      )}
      <Evidence lines={evidenceLines(worst.evidence)} />
      {worst.remedies.length > 0 && (
        <div class="remedies">
          <h4>What to change</h4>
          {worst.remedies.map((remedy, i) => (
            <RemedyItem key={remedy.title} remedy={remedy} open={i === 0 && active} />
          ))}
        </div>
      )}
      <div class="card-actions">
        <button type="button" onClick={() => onShow(group)}>
          Show
        </button>
        <button type="button" aria-pressed={pinned} onClick={() => onToggle('pin', group)}>
          {pinned ? 'Unpin' : 'Pin'}
        </button>
        <button type="button" aria-pressed={muted} onClick={() => onToggle('mute', group)}>
          {muted ? 'Unmute' : 'Mute'}
        </button>
      </div>
    </article>
  );
}
