import type { Run } from '../contract';
import { labelOf } from '../data/evidence';
import { formatInteger } from '../data/format';
import { kindOf } from '../data/kinds';
import { countKinds, verdictSentence, worstCause } from '../data/verdict';

interface Props {
  run: Run;
  /** Kind that the findings are filtered by. */
  filter: string | null;
  onFilter: (kind: string | null) => void;
}

/** Which layers, since when, why and what to do, before anything is clicked. */
export function VerdictBar({ run, filter, onFilter }: Props) {
  const worst = worstCause(run.findings);
  const healthy = run.verdict === 'healthy';
  return (
    <section
      class={`verdict verdict-${run.verdict.replace(' ', '-')}`}
      data-testid="verdict"
      data-verdict={run.verdict}
      aria-live="polite"
    >
      <div class="verdict-line">
        <h1>
          {healthy && <span aria-hidden="true">✓ </span>}
          {verdictSentence(run)}
        </h1>
        <span class="chips">
          {countKinds(run.findings).map(({ kind, layers, findings, active }) => {
            const { word, glyph, colour } = kindOf(kind);
            return (
              <button
                key={kind}
                type="button"
                class={`chip kind-${colour} ${active ? '' : 'healed'}`}
                aria-pressed={filter === kind}
                title={`Show only the findings of this kind (${findings})`}
                onClick={() => onFilter(filter === kind ? null : kind)}
              >
                <span aria-hidden="true">{glyph}</span> {word}
                {layers > 0 && <b>{layers}</b>}
                {!active && ' healed'}
              </button>
            );
          })}
        </span>
      </div>
      {worst && (
        <p class="verdict-cause">
          {worst.cause}
          {worst.remedy && (
            <>
              {' '}
              <strong>Try first: {worst.remedy}</strong>
            </>
          )}
        </p>
      )}
      {(run.notes ?? []).map(({ kind, since_step: since, cause, remedies }) => (
        <p key={kind} class="verdict-note" data-testid="note">
          <strong>
            {labelOf(kind)} since step {formatInteger(since)}:
          </strong>{' '}
          {cause}
          {remedies[0] && ` Try: ${remedies[0].title}.`}
        </p>
      ))}
    </section>
  );
}
