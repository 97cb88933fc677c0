/** The verdict on a run in plain words. */

import type { Finding, Run } from '../contract';
import { formatInteger, plural } from './format';

export interface KindCount {
  kind: string;
  layers: number;
  findings: number;
  active: boolean;
}

function layersOf(findings: readonly Finding[]): Set<string> {
  return new Set(findings.flatMap((finding) => finding.layers));
}

/** Layers with trained weights: the ones that can be sick. */
export function countRecorded(run: Pick<Run, 'layers'>): number {
  return run.layers.filter((layer) => layer.recorded).length;
}

export function verdictSentence(run: Pick<Run, 'findings' | 'layers' | 'verdict'>): string {
  if (run.verdict === 'no data') return 'No gradients are recorded yet';
  const active = run.findings.filter((finding) => finding.active);
  const total = countRecorded(run);
  if (active.length === 0) {
    const healed = run.findings.length;
    const all =
      total === 1 ? 'The one layer is healthy' : `All ${formatInteger(total)} layers are healthy`;
    return healed > 0 ? `${all} now; ${plural(healed, 'finding')} healed` : all;
  }
  const sick = layersOf(active).size;
  const onset = Math.min(...active.map((finding) => finding.since_step));
  const since = `since step ${formatInteger(onset)}`;
  if (sick === 0) return `The run is sick ${since}`;
  const of = total >= sick ? ` of ${formatInteger(total)}` : '';
  if (total === 1) return `The one layer is sick ${since}`;
  const verb = sick === 1 ? 'layer is' : 'layers are';
  return of
    ? `${formatInteger(sick)}${of} layers ${sick === 1 ? 'is' : 'are'} sick ${since}`
    : `${formatInteger(sick)} ${verb} sick ${since}`;
}

/** One entry a kind, in the order of the findings (worst first). */
export function countKinds(findings: readonly Finding[]): KindCount[] {
  return [...new Set(findings.map((finding) => finding.kind))].map((kind) => {
    const all = findings.filter((finding) => finding.kind === kind);
    const active = all.filter((finding) => finding.active);
    return {
      kind,
      layers: layersOf(active.length ? active : all).size,
      findings: all.length,
      active: active.length > 0,
    };
  });
}

/** Cause of the worst active finding and the title of its first remedy. */
export function worstCause(
  findings: readonly Finding[],
): { cause: string; remedy: string | null } | null {
  const worst = findings.find((finding) => finding.active);
  return worst ? { cause: worst.cause, remedy: worst.remedies[0]?.title ?? null } : null;
}
