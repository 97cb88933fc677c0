import { kindOf } from '../data/kinds';

/** Icon and word in the kind's colour: never the colour alone. */
export function KindBadge({ kind, suffix = '' }: { kind: string; suffix?: string }) {
  const { word, glyph, colour } = kindOf(kind);
  return (
    <span class={`kind kind-${colour}`}>
      <span aria-hidden="true">{glyph}</span> {word}
      {suffix}
    </span>
  );
}
