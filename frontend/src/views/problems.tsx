interface Props {
  problems: readonly string[];
}

const SHOWN = 3;

function Line({ text }: { text: string }) {
  return (
    <p class="problem" role="status" data-testid="problem">
      <span aria-hidden="true">⚠</span>
      <span>{text}</span>
    </p>
  );
}

/** Data that could not be read: said aloud, as it may hide a sick layer. */
export function Problems({ problems }: Props) {
  const unique = [...new Set(problems)];
  const more = unique.slice(SHOWN);
  if (unique.length === 0) return null;
  return (
    <div class="problems">
      {unique.slice(0, SHOWN).map((text) => (
        <Line key={text} text={text} />
      ))}
      {more.length > 0 && (
        <details>
          <summary>{more.length} more problems with this log directory</summary>
          {more.map((text) => (
            <Line key={text} text={text} />
          ))}
        </details>
      )}
    </div>
  );
}
