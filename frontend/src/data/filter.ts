/** The layer filter: a regular expression that somebody is still typing, or has been sent. */

export interface Filter {
  test(path: string): boolean;
  /** Why the text is no filter; everything passes then. */
  error: string | null;
}

const LONGEST = 120;
/** Time of a matcher goes with the length to the power of its unbounded repeats. */
const REPEATS = 3;
const BUDGET_MS = 300;
const EVERYTHING = { test: () => true };

/** Why matching might not end: regular expressions cannot be interrupted in a page. */
function hostile(pattern: string): string | null {
  if (pattern.length > LONGEST) return `longer than ${LONGEST} characters`;
  // Escapes and sets hold no operators.
  const bare = pattern.replace(/\\./g, 'x').replace(/\[[^\]]*\]/g, 'x');
  if ((bare.match(/[*+]|\{\d*,\d*\}/g) ?? []).length > REPEATS) {
    return `more than ${REPEATS} of * + {}`;
  }
  const groups: boolean[] = [];
  for (let i = 0; i < bare.length; i++) {
    const character = bare[i] as string;
    if (character === '(') groups.push(false);
    else if (/[*+{|]/.test(character)) groups.fill(true);
    else if (character === ')' && groups.pop() && /[*+{]/.test(bare[i + 1] ?? '')) {
      return 'a repeated group that repeats or chooses inside';
    }
  }
  return null;
}

export function compileFilter(text: string, paths: readonly string[]): Filter {
  if (!text) return { ...EVERYTHING, error: null };
  const why = hostile(text);
  if (why) return { ...EVERYTHING, error: `Not used: ${why}.` };
  try {
    const expression = new RegExp(text, 'iu');
    const found = new Set<string>();
    const end = performance.now() + BUDGET_MS;
    for (const path of paths) {
      if (expression.test(path.slice(-LONGEST))) found.add(path);
      if (performance.now() > end) return { ...EVERYTHING, error: 'Not used: too slow.' };
    }
    return { test: (path) => found.has(path), error: null };
  } catch (error) {
    // "SyntaxError: <why>", or with the expression between them: what is after the last colon.
    return { ...EVERYTHING, error: String(error).replace(/^.*: /, 'Not valid: ') };
  }
}
