/** Words, glyphs and remarks for the kinds of findings; a kind of a later version still shows. */

export interface Kind {
  /** As in "5 layers are …". */
  word: string;
  glyph: string;
  /** Selects the colour: the CSS class `kind-…` and the palette entry. */
  colour: 'vanishing' | 'exploding' | 'dead' | 'nonfinite' | 'other';
}

const KINDS: Record<string, Kind> = {
  vanishing: { word: 'vanishing', glyph: '▼', colour: 'vanishing' },
  exploding: { word: 'exploding', glyph: '▲', colour: 'exploding' },
  dead: { word: 'dead', glyph: '■', colour: 'dead' },
  nonfinite: { word: 'NaN or Inf', glyph: '⊘', colour: 'nonfinite' },
  slow: { word: 'learning too slowly', glyph: '◔', colour: 'other' },
  stalled: { word: 'making no progress', glyph: '‖', colour: 'other' },
};

export function kindOf(kind: string): Kind {
  return Object.hasOwn(KINDS, kind)
    ? (KINDS[kind] as Kind)
    : { word: kind, glyph: '●', colour: 'other' };
}
