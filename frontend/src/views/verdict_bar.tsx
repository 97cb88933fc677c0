import type { Run } from '../contract';
import { formatInteger } from '../data/format';
import { kindOf } from '../data/kinds';
import { countKinds, verdictSentence, worstCause } from '../data/verdict';

interface Props {
  run: Run;
  /** Kind that the findings are filtered by. */
  filter: string | null;
  muted: number;
  onFilter: (kind: string | null) => void;
}

/** Which layers, since when, why and what to do, before anything is clicked. */
export function VerdictBar({ run, filter, muted, onFilter }: Props) {
  const worst = worstCause(run.findings);
  const healthy = run.verdict === 'healthy';
  return (
    <section
      class={`verdict verdict-${run.verdict.replace(' ', '-')}`}
      aria-label="Verdict"
      data-testid="verdict"
      data-verdict={run.verdict}
    >
      <div class="verdict-line">
        <h1>
          {healthy && <span aria-hidden="true">✓ </span>}
          {verdictSentence(run)}
          {muted > 0 && <span class="muted"> · {formatInteger(muted)} muted</span>}
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
    </section>
  );
}
