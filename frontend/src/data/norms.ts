/** Gradient norms of all layers over steps: for the depth profile and for comparing two runs. */

import type { NormsReply } from '../contract';
import { CLIP_DECADES, HEALTHY, NONFINITE, NOT_RECORDED, ZERO, bytesOf, codeOf } from './codes';
import type { Heatmap } from './codes';
import { formatNumber } from './format';
import { nearestIndex } from './steps';

export interface Norms extends Omit<NormsReply, 'codes'> {
  codes: Uint8Array;
}

const FIRST_VALUE = 3;

export function decodeNorms(reply: NormsReply): Norms {
  const codes = bytesOf(reply.codes);
  if (codes.length !== reply.layers.length * reply.steps.length) {
    throw new Error(`The norms have ${codes.length} cells, not layers x steps.`);
  }
  return { ...reply, codes };
}

/** log10 of the norm, or null: not recorded, NaN or Inf, zero (the code says which). */
export function log10At(norms: Norms, row: number, column: number): number | null {
  const code = norms.codes[row * norms.steps.length + column] ?? NOT_RECORDED;
  return code < FIRST_VALUE ? null : norms.log10_min + norms.log10_step * (code - FIRST_VALUE);
}

/** Norms of all layers at the logged step next to `step` (null: the latest). */
export function profileAt(norms: Norms, step: number | null) {
  const column = step === null ? norms.steps.length - 1 : nearestIndex(norms.steps, step);
  const at = norms.layers.map((_, row) => norms.codes[row * norms.steps.length + column] ?? 0);
  return {
    step: norms.steps[column] ?? 0,
    log10: norms.layers.map((_, row) => log10At(norms, row, column)),
    codes: at,
  };
}

export interface Comparison {
  heatmap: Heatmap;
  onlyA: string[];
  onlyB: string[];
}

/** log10(A / B) on A's steps; layers are matched by path. */
export function ratioOf(a: Norms, b: Norms): Comparison {
  const rowOfB = new Map(b.layers.map((path, row) => [path, row]));
  const shared = a.layers.flatMap((path, row) => (rowOfB.has(path) ? [[path, row] as const] : []));
  const [firstB = Infinity, lastB = -Infinity] = [b.steps[0], b.steps.at(-1)];
  const columnsB = a.steps.map((step) =>
    step < firstB || step > lastB ? -1 : nearestIndex(b.steps, step),
  );
  const codes = new Uint8Array(shared.length * a.steps.length);
  shared.forEach(([path, rowA], row) => {
    const rowB = rowOfB.get(path) as number;
    columnsB.forEach((columnB, column) => {
      const codeA = a.codes[rowA * a.steps.length + column] ?? NOT_RECORDED;
      const codeB = columnB < 0 ? 0 : (b.codes[rowB * b.steps.length + columnB] ?? NOT_RECORDED);
      let code = codeA === codeB ? HEALTHY : ZERO;
      if (codeA === NOT_RECORDED || codeB === NOT_RECORDED) code = NOT_RECORDED;
      else if (codeA === NONFINITE || codeB === NONFINITE) code = NONFINITE;
      else if (codeA >= FIRST_VALUE && codeB >= FIRST_VALUE) {
        const level = (log10At(a, rowA, column) ?? 0) - (log10At(b, rowB, columnB) ?? 0);
        code = codeOf(Math.max(-CLIP_DECADES, Math.min(CLIP_DECADES, level)));
      }
      codes[row * a.steps.length + column] = code;
    });
  });
  const inA = new Set(a.layers);
  return {
    heatmap: {
      steps: a.steps,
      times: a.wall_times,
      layers: shared.map(([path]) => path),
      codes,
      sick: [],
    },
    onlyA: a.layers.filter((path) => !rowOfB.has(path)),
    onlyB: b.layers.filter((path) => !inA.has(path)),
  };
}

export function describeNorm(code: number, log10: number | null): string {
  if (log10 !== null) return `‖g‖ ${formatNumber(10 ** log10)}`;
  return ['not recorded', 'NaN or Inf', 'exactly zero'][code] ?? 'unknown';
}
