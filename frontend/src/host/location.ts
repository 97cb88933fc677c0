/** The selection in TensorBoard's address, as `#gradients&p.gradients.run=…`, to share and reload. */

import { parentWindow } from './parent';

export interface Selection {
  run: string | null;
  layer: string | null;
}

const PREFIX = 'p.gradients.';

export function parseSelection(hash: string): Selection {
  const selection: Selection = { run: null, layer: null };
  for (const part of hash.replace(/^#/, '').split('&')) {
    const [name = '', value = ''] = part.split('=', 2);
    try {
      if (name === `${PREFIX}run`) selection.run = decodeURIComponent(value);
      if (name === `${PREFIX}layer`) selection.layer = decodeURIComponent(value);
    } catch {
      // A hash cut short in a chat holds half an escape: as good as none.
    }
  }
  return selection;
}

/** `hash` with our parts replaced; what belongs to TensorBoard and other plugins stays. */
export function withSelection(hash: string, selection: Selection): string {
  const parts = hash
    .replace(/^#/, '')
    .split('&')
    .filter((part) => part && !part.startsWith(PREFIX));
  if (selection.run !== null) parts.push(`${PREFIX}run=${encodeURIComponent(selection.run)}`);
  if (selection.layer !== null) parts.push(`${PREFIX}layer=${encodeURIComponent(selection.layer)}`);
  return `#${parts.join('&')}`;
}

export function readSelection(): Selection {
  return parseSelection(parentWindow()?.location.hash ?? '');
}

export function writeSelection(selection: Selection): void {
  const host = parentWindow();
  if (!host) return;
  try {
    const url = new URL(host.location.href);
    // Another tab is open: the address is its own.
    if (!/^#gradients(&|$)/.test(url.hash)) return;
    url.hash = withSelection(url.hash, selection);
    if (url.href !== host.location.href) host.history.replaceState(host.history.state, '', url);
  } catch {
    // A sandboxed host forbids it; the selection then lives in the page only.
  }
}
