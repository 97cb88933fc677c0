import type { Run } from '../contract';
import { plural } from '../data/format';
import { kindOf } from '../data/kinds';
import { FindingCard } from './finding_card';
import { HealthyRules } from './healthy_rules';

interface Props {
  run: Run;
  filter: string | null;
  selected: string | null;
  onOpen: (layer: string) => void;
  onPoint: (layers: readonly string[]) => void;
  onClearFilter: () => void;
}

export function Findings({ run, filter, selected, onOpen, onPoint, onClearFilter }: Props) {
  const order = run.layers.map((layer) => layer.path);
  const recorded = new Set(run.layers.filter((layer) => layer.recorded).map(({ path }) => path));
  const shown = run.findings.filter((finding) => filter === null || finding.kind === filter);
  return (
    <>
      {run.verdict === 'healthy' && <HealthyRules rules={run.rules} healed={run.findings.length} />}
      {run.findings.length > 0 && (
        <div class="findings-head">
          <h2>{plural(shown.length, 'finding')}, worst first</h2>
          {filter !== null && (
            <button type="button" class="link" onClick={onClearFilter}>
              only {kindOf(filter).word} · show all
            </button>
          )}
        </div>
      )}
      {shown.map((finding) => (
        <FindingCard
          key={`${finding.kind} ${finding.since_step} ${finding.layers.join('\n')}`}
          finding={finding}
          order={order}
          recorded={recorded}
          selected={selected}
          onOpen={onOpen}
          onPoint={onPoint}
        />
      ))}
      {run.verdict === 'unhealthy' && run.rules.length > 0 && (
        <details class="rules-checked">
          <summary>{plural(run.rules.length, 'rule')} checked</summary>
          <HealthyRules rules={run.rules} healed={0} plain />
        </details>
      )}
    </>
  );
}
