import { useEffect, useState } from 'preact/hooks';
import { currentTheme, watchTheme } from '../host/theme';
import type { Theme } from '../host/theme';

/** The theme in use; the style sheet follows through `data-theme` on the root element. */
export function useTheme(): Theme {
  const [theme, setTheme] = useState(currentTheme);
  useEffect(() => watchTheme(setTheme), []);
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
  }, [theme]);
  return theme;
}
