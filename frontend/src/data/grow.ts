/** Joins what is held with the columns that came since. `http_api.md` says when that is allowed. */

import type { Histograms, LayerReply, ScalarSeries, VariableHistograms } from '../contract';

interface Table {
  steps: number[];
  layers: string[];
  codes: Uint8Array;
}

/** Both tables, their codes row-major; null where the rows are not the same. */
export function joinTables<T extends Table>(old: T, fresh: T): T | null {
  if (old.layers.join('\n') !== fresh.layers.join('\n')) return null;
  return { ...joinArrays(old, fresh, ['layers', 'sick']), codes: joinCodes(old, fresh) };
}

function joinCodes(old: Table, fresh: Table): Uint8Array {
  const [before, after] = [old.steps.length, fresh.steps.length];
  const rows = fresh.layers.length;
  const out = new Uint8Array(rows * (before + after));
  for (let row = 0; row < rows; row++) {
    out.set(old.codes.subarray(row * before, (row + 1) * before), row * (before + after));
    out.set(fresh.codes.subarray(row * after, (row + 1) * after), row * (before + after) + before);
  }
  return out;
}

/** All of `fresh`, its arrays behind those of `old`, except the ones named in `whole`. */
export function joinArrays<T extends object>(old: T, fresh: T, whole: readonly string[] = []): T {
  const out = { ...fresh } as Record<string, unknown>;
  for (const [key, value] of Object.entries(old)) {
    const added = out[key];
    if (!whole.includes(key) && Array.isArray(value) && Array.isArray(added)) {
      out[key] = [...(value as unknown[]), ...(added as unknown[])];
    }
  }
  return out as T;
}

function joinByPath<T extends { path: string }>(
  old: readonly T[],
  fresh: readonly T[],
  whole: readonly string[],
): T[] | null {
  const out = fresh.flatMap((one) => {
    const before = old.find(({ path }) => path === one.path);
    return before ? [joinArrays(before, one, whole)] : [];
  });
  return out.length === fresh.length ? out : null;
}

/** Series end at different steps: what is held beyond `since` comes again. */
export function joinScalars(
  old: readonly ScalarSeries[],
  fresh: readonly ScalarSeries[],
  since: number,
): ScalarSeries[] | null {
  const out = fresh.flatMap((one) => {
    const before = old.find(({ name, label }) => name === one.name && label === one.label);
    if (!before) return [];
    const held = before.steps.filter((step) => step <= since).length;
    return [joinArrays(headOf(before, held), one)];
  });
  return out.length === fresh.length ? out : null;
}

/** `one` with the first `held` items of its arrays. */
function headOf<T extends object>(one: T, held: number): T {
  const parts = Object.entries(one).map(([key, value]) => [
    key,
    Array.isArray(value) ? (value as unknown[]).slice(0, held) : (value as unknown),
  ]);
  return Object.fromEntries(parts) as T;
}

/**
 * undefined where the two do not fit. What is held beyond the last logged step, such as the weights
 * at an epoch's end, comes again.
 */
function joinHistograms(
  old: Histograms | null | undefined,
  fresh: Histograms | null | undefined,
): Histograms | null | undefined {
  if (!fresh || !old) return fresh ? undefined : null;
  const first = fresh.steps[0] ?? Infinity;
  const held = old.steps.filter((step) => step < first).length;
  const before = old.variables.map((one) => headOf(one, held));
  const variables = joinByPath<VariableHistograms>(before, fresh.variables, []);
  if (!variables) return undefined;
  return { ...fresh, steps: [...old.steps.slice(0, held), ...fresh.steps], variables };
}

/** null where the held layer has not all that the new columns continue. */
export function joinLayer(old: LayerReply, fresh: LayerReply): LayerReply | null {
  const variables = joinByPath(old.variables, fresh.variables, ['shape']);
  const histograms = joinHistograms(old.histograms, fresh.histograms);
  const weights = joinHistograms(old.weights, fresh.weights);
  const activations = joinHistograms(old.activations, fresh.activations);
  if (!variables || !histograms || weights === undefined || activations === undefined) return null;
  return {
    ...joinArrays(old, fresh, ['variables', 'maps']),
    variables,
    histograms,
    weights,
    activations,
  };
}
