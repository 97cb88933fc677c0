/** The page's keys. What has the focus hears them first; text fields keep theirs. */

import { useEffect, useRef } from 'preact/hooks';

const TYPING = 'input:not([type=range]):not([type=checkbox]), select, textarea, dialog, dialog *';
/** Keys of the heatmap, which work wherever nothing else has the focus. */
const OF_HEATMAP = /^(Arrow|Page|Home$|End$|Enter$|f$)/;

export function useKeys(actions: Record<string, () => void>): void {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target instanceof Element ? event.target : document.body;
      if (event.key === 'Escape' && target.matches('input')) {
        // A search field would be emptied; the filter stays.
        event.preventDefault();
        (target as HTMLInputElement).blur();
        return;
      }
      if (target.matches(TYPING)) return;
      if (target === document.body && OF_HEATMAP.test(event.key)) {
        const heatmap = document.querySelector<HTMLElement>('.heatmap');
        heatmap?.focus();
        heatmap?.dispatchEvent(new KeyboardEvent('keydown', { key: event.key, bubbles: true }));
        event.preventDefault();
        return;
      }
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const action = Object.hasOwn(latest.current, key) ? latest.current[key] : undefined;
      if (!action) return;
      event.preventDefault();
      action();
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, []);
}

/** Moves the focus to the finding after the one that has it, or before. */
export function focusFinding(offset: 1 | -1): void {
  const cards = [...document.querySelectorAll<HTMLElement>('[data-group]')].filter(
    (card) => card.offsetParent !== null,
  );
  const held = document.activeElement?.closest<HTMLElement>('[data-group]');
  const at = held ? cards.indexOf(held) : offset > 0 ? -1 : 0;
  cards[(at + offset + cards.length) % cards.length]?.focus();
}
