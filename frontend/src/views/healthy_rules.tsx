import type { Rule } from '../contract';
import { plural } from '../data/format';
import { KindBadge } from './kind_badge';

interface Props {
  rules: readonly Rule[];
  healed: number;
  /** The list alone, where the run is not healthy. */
  plain?: boolean;
}

/** "Healthy" is worth as much as what was checked: the list says it. */
export function HealthyRules({ rules, healed, plain = false }: Props) {
  const list = (
    <ul class="rules">
      {rules.map((rule) => (
        <li key={`${rule.kind} ${rule.title}`}>
          <KindBadge kind={rule.kind} />
          <strong>{rule.title}</strong>
          <span>{rule.checks}</span>
        </li>
      ))}
    </ul>
  );
  if (plain) return list;
  return (
    <article class="healthy" data-testid="healthy-rules">
      <h2>
        <span aria-hidden="true">✓ </span>
        {healed > 0 ? 'Healthy now' : 'Healthy'}
      </h2>
      <p>
        {plural(rules.length, 'rule')} checked at every logged step, and none of them holds now:
      </p>
      {list}
    </article>
  );
}
