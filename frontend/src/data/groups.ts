/** Findings that are one piece of news: the same kind and cause, module and onset. */

import type { Finding } from '../contract';
import { foldable, modulesOf } from './rows';

export interface Group {
  /** Stable while the run grows: pins and mutes go by it. */
  id: string;
  kind: string;
  module: string;
  /** Worst first. */
  findings: Finding[];
  /** In forward order. */
  layers: string[];
  since: number;
  last: number;
  active: boolean;
}

/** Onsets this close, as a share of the run's steps, count as one. */
const ONSET_SHARE = 0.05;

/** The outermost foldable module that holds all `layers`, "" where none does. */
function sharedModule(layers: readonly string[], known: ReadonlyMap<string, unknown>): string {
  const [first = '', ...rest] = layers;
  const held = modulesOf(first).find(
    (module) => known.has(module) && rest.every((path) => path.startsWith(`${module}/`)),
  );
  return held ?? '';
}

/** In the order of each group's worst finding. */
export function groupFindings(
  findings: readonly Finding[],
  order: readonly string[],
  span: number,
): Group[] {
  const groups: Group[] = [];
  const known = foldable(order);
  for (const finding of findings) {
    const module = sharedModule(finding.layers, known);
    const same = groups.find(
      (group) =>
        group.kind === finding.kind &&
        group.active === finding.active &&
        group.module === module &&
        (group.findings[0]?.cause_id ?? '') === (finding.cause_id ?? '') &&
        finding.layers.length > 0 === group.layers.length > 0 &&
        Math.abs((group.findings[0] as Finding).since_step - finding.since_step) <=
          span * ONSET_SHARE,
    );
    if (same) {
      same.findings.push(finding);
      same.layers.push(...finding.layers);
      same.since = Math.min(same.since, finding.since_step);
      same.last = Math.max(same.last, finding.last_step);
    } else {
      const { kind, active, since_step: since, last_step: last } = finding;
      const layers = [...finding.layers];
      groups.push({ id: '', kind, module, findings: [finding], layers, since, last, active });
    }
  }
  const position = new Map(order.map((path, i) => [path, i]));
  const at = (path: string): number => position.get(path) ?? order.length;
  const ids = new Set<string>();
  return groups.map((group) => {
    const layers = [...new Set(group.layers)].toSorted((a, b) => at(a) - at(b));
    let id = [group.kind, group.since, group.module || (layers[0] ?? '')].join('@');
    // Another cause of the same at the same time.
    while (ids.has(id)) id += "'";
    ids.add(id);
    return { ...group, id, layers };
  });
}
