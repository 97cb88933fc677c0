/** The view in the address, as `#gradients&p.gradients.run=…`: TensorBoard's where it can be read. */

import { parentWindow } from './parent';

export interface View {
  run: string | null;
  /** Up to three runs beside it. */
  compare: string[];
  layer: string | null;
  /** Regular expression over the layers' paths. */
  filter: string;
  /** Kind of finding. */
  kind: string | null;
  order: 'forward' | 'worst';
  axis: 'step' | 'relative' | 'wall';
  smooth: number;
  /** First and last step in sight; null: all, also of what is still to come. */
  zoom: number[] | null;
  /** Step that the crosshair goes back to. */
  step: number | null;
  /** Folded modules; "*" leaves it to the page. */
  fold: string[];
  /** Finding groups. */
  pin: string[];
  mute: string[];
  variable: string | null;
  picture: 'histogram' | 'map' | 'profile';
  of: 'gradients' | 'weights' | 'activations';
  mode: 'ridge' | 'overlay' | 'bands';
  /** Run that the heatmap shows the ratio to. */
  ratio: string | null;
}

export const DEFAULT_VIEW: View = {
  run: null,
  compare: [],
  layer: null,
  filter: '',
  kind: null,
  order: 'forward',
  axis: 'step',
  smooth: 0,
  zoom: null,
  step: null,
  fold: ['*'],
  pin: [],
  mute: [],
  variable: null,
  picture: 'histogram',
  of: 'gradients',
  mode: 'ridge',
  ratio: null,
};

const CHOICES: Partial<Record<keyof View, readonly string[]>> = {
  order: ['forward', 'worst'],
  axis: ['step', 'relative', 'wall'],
  picture: ['histogram', 'map', 'profile'],
  of: ['gradients', 'weights', 'activations'],
  mode: ['ridge', 'overlay', 'bands'],
};
const NUMBERS: readonly string[] = ['smooth', 'zoom', 'step'];
const PREFIX = 'p.gradients.';
const MOST_SMOOTH = 0.99;
const MOST_COMPARED = 3;

const partsOf = (hash: string): string[] => hash.replace(/^#/, '').split('&');

/** undefined where the text is not what this part of the view can be. */
function parsePart(name: keyof View, text: string): unknown {
  const items = (text ? text.split(',') : []).map(decodeURIComponent);
  const [first = ''] = items;
  const choices = CHOICES[name];
  if (choices) return choices.includes(first) ? first : undefined;
  if (NUMBERS.includes(name)) {
    const numbers = items.map(Number);
    if (numbers.length === 0 || !numbers.every(Number.isFinite)) return undefined;
    if (name !== 'zoom') return numbers[0];
    return numbers.length === 2 && numbers[0]! < numbers[1]! ? numbers : undefined;
  }
  return Array.isArray(DEFAULT_VIEW[name]) ? items : first;
}

export function parseView(hash: string): View {
  const view: Record<string, unknown> = { ...DEFAULT_VIEW };
  for (const part of partsOf(hash)) {
    const [key = '', text = ''] = part.split('=', 2);
    const name = key.slice(PREFIX.length);
    if (!key.startsWith(PREFIX) || !Object.hasOwn(DEFAULT_VIEW, name)) continue;
    try {
      view[name] = parsePart(name as keyof View, text) ?? view[name];
    } catch {
      // A hash cut short in a chat holds half an escape: as good as none.
    }
  }
  const { smooth, compare, ...rest } = view as unknown as View;
  return {
    ...rest,
    compare: compare.slice(0, MOST_COMPARED),
    smooth: Math.max(0, Math.min(MOST_SMOOTH, smooth)),
  };
}

/** `hash` with our parts replaced; what belongs to TensorBoard and other plugins stays. */
export function withView(hash: string, view: View): string {
  const parts = partsOf(hash).filter((part) => part && !part.startsWith(PREFIX));
  for (const [name, value] of Object.entries(view) as [keyof View, View[keyof View]][]) {
    if (value === null || JSON.stringify(value) === JSON.stringify(DEFAULT_VIEW[name])) continue;
    const items = Array.isArray(value) ? value : [value];
    parts.push(`${PREFIX}${name}=${items.map(encodeURIComponent).join(',')}`);
  }
  return `#${parts.join('&')}`;
}

/** A page of its own, such as a saved report, has its own address; so has one in a foreign frame. */
function owner(): Window {
  return parentWindow() ?? window;
}

export function readView(): View {
  return parseView(owner().location.hash);
}

/** Tells of a view that somebody puts in the address; null: of an address without one. */
export function watchView(onChange: (view: View | null) => void): () => void {
  const host = owner();
  const listen = (): void => {
    const { hash } = host.location;
    onChange(hash.includes(PREFIX) ? parseView(hash) : null);
  };
  host.addEventListener('hashchange', listen);
  return () => host.removeEventListener('hashchange', listen);
}

export function writeView(view: View): void {
  const host = owner();
  try {
    const url = new URL(host.location.href);
    // Another tab is open: the address is its own.
    if (host !== window && !/^#gradients(&|$)/.test(url.hash)) return;
    url.hash = withView(url.hash, view);
    if (url.href !== host.location.href) host.history.replaceState(host.history.state, '', url);
  } catch {
    // A sandboxed host forbids it, and browsers limit how often; the view then lives in the page.
  }
}
