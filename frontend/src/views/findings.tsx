import { useEffect, useRef, useState } from 'preact/hooks';
import type { Run } from '../contract';
import { evidenceLines, labelOf } from '../data/evidence';
import { formatInteger, plural } from '../data/format';
import type { Group } from '../data/groups';
import { kindOf } from '../data/kinds';
import { summarizeLayers } from '../data/layers';
import { Exports } from './exports';
import { Evidence, FindingCard, RemedyItem } from './finding_card';
import type { CardActions } from './finding_card';
import { HealthyRules } from './healthy_rules';

interface Props extends CardActions {
  run: Run;
  groups: readonly Group[];
  /** Kind that is shown alone. */
  kind: string | null;
  pins: readonly string[];
  mutes: readonly string[];
  fileName: string;
  onClearKind: () => void;
}

/** Words for findings that have come while the page was open, for those who do not see them. */
function useNews(run: string, groups: readonly Group[], order: readonly string[]): string {
  const known = useRef({ run: '', ids: new Set<string>() });
  const [news, setNews] = useState('');
  useEffect(() => {
    const active = groups.filter((group) => group.active);
    const fresh = active.filter(({ id }) => !known.current.ids.has(id));
    if (known.current.run === run && fresh.length > 0) {
      const words = fresh.map(
        ({ kind, layers }) => `${kindOf(kind).word}: ${summarizeLayers(layers, order)}`,
      );
      setNews(`New finding. ${words.join('. ')}`);
    }
    const before = known.current.run === run ? known.current.ids : [];
    known.current = { run, ids: new Set([...before, ...active.map(({ id }) => id)]) };
  }, [run, groups]);
  return news;
}

function findingTable(groups: readonly Group[]) {
  const header = ['kind', 'severity', 'active', 'since_step', 'last_step', 'layers', 'cause'];
  const rows = groups.flatMap(({ findings }) =>
    findings.map((f) => [
      f.kind,
      f.severity,
      f.active,
      f.since_step,
      f.last_step,
      f.layers.join(' '),
      f.cause,
      JSON.stringify(f.evidence),
      f.remedies.map(({ title }) => title).join('; '),
    ]),
  );
  return [[...header, 'evidence', 'remedies'], ...rows];
}

export function Findings(props: Props) {
  const { run, groups, kind, pins, mutes, fileName, onClearKind, ...actions } = props;
  const news = useNews(run.name, groups, actions.order);
  const ofKind = groups.filter((group) => kind === null || group.kind === kind);
  const loud = ofKind.filter(({ id }) => !mutes.includes(id));
  const muted = ofKind.filter(({ id }) => mutes.includes(id));
  const shown = loud.toSorted((a, b) => Number(pins.includes(b.id)) - Number(pins.includes(a.id)));
  const card = (group: Group) => (
    <FindingCard
      key={group.id}
      group={group}
      pinned={pins.includes(group.id)}
      muted={mutes.includes(group.id)}
      {...actions}
    />
  );
  const isHealthy = run.verdict === 'healthy';
  const notes = (run.notes ?? []).map(
    ({ kind: note, since_step: since, cause, evidence, remedies }) => (
      <article key={note} class="finding note-card" data-testid="note">
        <h3>{labelOf(note)}</h3>
        <p class="muted finding-when">a note, not an alarm; since step {formatInteger(since)}</p>
        <p>{cause}</p>
        <Evidence lines={evidenceLines(evidence)} />
        {remedies.map((remedy) => (
          <RemedyItem key={remedy.title} remedy={remedy} open={false} />
        ))}
      </article>
    ),
  );
  return (
    <>
      <p class="visually-hidden" aria-live="polite" data-testid="news">
        {news}
      </p>
      {isHealthy && notes}
      {isHealthy && <HealthyRules rules={run.rules} healed={run.findings.length} />}
      {run.findings.length > 0 && (
        <div class="findings-head">
          <h2>{plural(shown.length, 'finding')}, worst first</h2>
          {kind !== null && (
            <button type="button" class="link" onClick={onClearKind}>
              only {kindOf(kind).word} · show all
            </button>
          )}
          <Exports name={fileName} what="the findings" table={() => findingTable(groups)} />
        </div>
      )}
      {shown.map(card)}
      {!isHealthy && notes}
      {muted.length > 0 && (
        <details class="rules-checked" data-testid="muted">
          <summary>{plural(muted.length, 'muted finding')}</summary>
          {muted.map(card)}
        </details>
      )}
      {run.verdict === 'unhealthy' && run.rules.length > 0 && (
        <details class="rules-checked">
          <summary>{plural(run.rules.length, 'rule')} checked</summary>
          <HealthyRules rules={run.rules} healed={0} plain />
        </details>
      )}
    </>
  );
}
