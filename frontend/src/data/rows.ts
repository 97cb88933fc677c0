/** Which rows the heatmap shows: filtered, folded into modules, in forward or worst-first order. */

import type { SickRow } from '../contract';
import { ZERO, extremity, moreExtreme } from './codes';
import type { Heatmap } from './codes';
import { formatInteger } from './format';

export interface Row {
  /** The layer's path, or the module's where it is folded. */
  path: string;
  folded: boolean;
  /** Rows of the data that it shows. */
  members: number[];
  modules: string[];
}

/** A module's rows, `from` to one before `to`. */
export interface Bracket {
  module: string;
  level: number;
  from: number;
  to: number;
  folded: boolean;
}

export interface Arrangement {
  /** As the data, with the rows that are shown. */
  heatmap: Heatmap;
  rows: Row[];
  brackets: Bracket[];
  /** Where a layer is shown, if it is. */
  rowOf: ReadonlyMap<string, number>;
}

export interface RowChoice {
  passes: (path: string) => boolean;
  /** Shown though filtered out, and never folded away. */
  pinned: ReadonlySet<string>;
  folded: ReadonlySet<string>;
  /** Layers from the worst on, or null for the forward order. */
  worst: readonly string[] | null;
  /** Marks of layers that the reader does not want to be told of. */
  isMuted: (layer: string, kind: string) => boolean;
}

/** Levels of modules that rows are bracketed and folded by. */
const LEVELS = 2;

/** All modules that a layer is in, outermost first: "a", "a/b" for "a/b/c". */
export function modulesOf(path: string): string[] {
  const modules: string[] = [];
  // A name such as "/x" begins in no module.
  for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) {
    modules.push(path.slice(0, at));
  }
  return modules;
}

/** Modules of several layers; one that holds everything would only fold the whole picture. */
export function foldable(layers: readonly string[]): Map<string, string[]> {
  const modules = new Map<string, string[]>();
  for (const path of layers) {
    for (const module of modulesOf(path)) {
      const members = modules.get(module);
      if (members) members.push(path);
      else modules.set(module, [path]);
    }
  }
  for (const [module, members] of modules) {
    if (members.length < 2 || members.length === layers.length) modules.delete(module);
  }
  return modules;
}

/** Outermost modules without a sick layer, for "fold healthy blocks". */
export function healthyModules({ layers, sick }: Heatmap): string[] {
  const ill = new Set(sick.filter((entry) => entry[4]).map(([row]) => layers[row] as string));
  const healthy = [...foldable(layers)].filter(([, members]) => !members.some((m) => ill.has(m)));
  const names = new Set(healthy.map(([module]) => module));
  return [...names].filter(
    (name) => !modulesOf(`${name}/x`).some((m) => m !== name && names.has(m)),
  );
}

/** Layers from the worst on: active sickness first, then the most extreme last quarter. */
export function worstFirst({ layers, steps, codes, sick }: Heatmap): string[] {
  const score = new Map<string, number>();
  const from = Math.floor(steps.length * 0.75);
  layers.forEach((path, row) => {
    let worst = 0;
    for (let i = from; i < steps.length; i++) {
      worst = Math.max(worst, extremity(codes[row * steps.length + i] ?? 0));
    }
    score.set(path, worst);
  });
  sick.forEach(([row, , , , active], i) => {
    const path = layers[row] as string;
    score.set(path, (score.get(path) ?? 0) + (active ? 1e6 : 2000) * (1 + 1 / (i + 2)));
  });
  return layers.toSorted((a, b) => (score.get(b) ?? 0) - (score.get(a) ?? 0));
}

function fold(data: Heatmap, choice: RowChoice): Row[] {
  const known = foldable(data.layers);
  const rows: Row[] = [];
  data.layers.forEach((path, i) => {
    const pinned = choice.pinned.has(path);
    if (!pinned && !choice.passes(path)) return;
    const modules = modulesOf(path)
      .filter((module) => known.has(module))
      .slice(0, LEVELS);
    const module = pinned ? undefined : modules.find((one) => choice.folded.has(one));
    const last = rows.at(-1);
    if (module === undefined) rows.push({ path, folded: false, members: [i], modules });
    else if (last?.folded && last.path === module) last.members.push(i);
    else {
      const outer = modules.slice(0, modules.indexOf(module) + 1);
      rows.push({ path: module, folded: true, members: [i], modules: outer });
    }
  });
  if (!choice.worst) return rows;
  const rank = new Map(choice.worst.map((path, i) => [path, i]));
  const of = (row: Row): number =>
    Math.min(...row.members.map((i) => rank.get(data.layers[i] as string) ?? Infinity));
  return rows.toSorted((a, b) => of(a) - of(b));
}

function bracketsOf(rows: readonly Row[]): Bracket[] {
  const out: Bracket[] = [];
  for (const level of [0, 1]) {
    let open: Bracket | null = null;
    rows.forEach((row, i) => {
      const module = row.modules[level];
      if (open && open.module === module) open.to = i + 1;
      else if (module === undefined) open = null;
      else {
        const folded = row.folded && row.path === module;
        open = { module, level, from: i, to: i + 1, folded };
        out.push(open);
      }
    });
  }
  return out;
}

export function arrange(data: Heatmap, choice: RowChoice): Arrangement {
  const rows = fold(data, choice);
  const columns = data.steps.length;
  const codes = new Uint8Array(rows.length * columns);
  const shownAt = new Map<number, number>();
  const rowOf = new Map<string, number>();
  rows.forEach(({ members }, at) => {
    const [first = 0, ...others] = members;
    codes.set(data.codes.subarray(first * columns, (first + 1) * columns), at * columns);
    for (const other of others) {
      for (let i = 0; i < columns; i++) {
        const here = at * columns + i;
        codes[here] = moreExtreme(codes[here] ?? ZERO, data.codes[other * columns + i] ?? ZERO);
      }
    }
    for (const member of members) {
      shownAt.set(member, at);
      rowOf.set(data.layers[member] as string, at);
    }
  });
  const sick = data.sick.flatMap(([row, kind, ...rest]): SickRow[] => {
    const at = shownAt.get(row);
    if (at === undefined || choice.isMuted(data.layers[row] as string, kind)) return [];
    return [[at, kind, ...rest]];
  });
  const layers = rows.map(({ path, folded, members }) => {
    if (folded) return `${path} (${formatInteger(members.length)})`;
    return choice.pinned.has(path) ? `◆ ${path}` : path;
  });
  return {
    heatmap: { ...data, layers, codes, sick },
    rows,
    rowOf,
    brackets: choice.worst ? [] : bracketsOf(rows),
  };
}
