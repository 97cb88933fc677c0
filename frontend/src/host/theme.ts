/** TensorBoard tells its iframes nothing of its dark mode: we watch the class on its body. */

import { parentWindow } from './parent';

export type Theme = 'light' | 'dark';

const DARK_CLASS = 'dark-mode';

export function currentTheme(): Theme {
  const body = parentWindow()?.document.body;
  const dark = body
    ? body.classList.contains(DARK_CLASS)
    : window.matchMedia('(prefers-color-scheme: dark)').matches;
  return dark ? 'dark' : 'light';
}

/** Calls `onChange` at every switch; the answer ends the watch. */
export function watchTheme(onChange: (theme: Theme) => void): () => void {
  const notify = (): void => onChange(currentTheme());
  const body = parentWindow()?.document.body;
  if (body) {
    const observer = new MutationObserver(notify);
    observer.observe(body, { attributes: true, attributeFilter: ['class'] });
    return () => observer.disconnect();
  }
  const query = window.matchMedia('(prefers-color-scheme: dark)');
  query.addEventListener('change', notify);
  return () => query.removeEventListener('change', notify);
}
