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
    const { steps, wall_times: times, values } = before;
    const cut = {
      ...before,
      steps: steps.slice(0, held),
      wall_times: times.slice(0, held),
      values: values.slice(0, held),
    };
    return [joinArrays(cut, one)];
  });
  return out.length === fresh.length ? out : null;
}

/** Sent whole although only news were asked for. */
function isWhole(old: { steps: number[] }, fresh: { steps: number[] }): boolean {
  return (fresh.steps[0] ?? Infinity) <= (old.steps.at(-1) ?? -Infinity);
}

/** undefined where the two do not fit. */
function joinHistograms(
  old: Histograms | null | undefined,
  fresh: Histograms | null | undefined,
): Histograms | null | undefined {
  if (!fresh || !old) return fresh ? undefined : null;
  if (isWhole(old, fresh)) return fresh;
  const variables = joinByPath<VariableHistograms>(old.variables, fresh.variables, []);
  return variables
    ? { ...joinArrays(old, fresh, ['log10_edges', 'variables']), variables }
    : undefined;
}

type Activations = NonNullable<LayerReply['activations']>;

function joinActivations(old: Activations | null | undefined, fresh: Activations): Activations {
  return old && !isWhole(old, fresh) ? joinArrays(old, fresh, ['log10_edges']) : fresh;
}

/** null where the held layer has not all that the new columns continue. */
export function joinLayer(old: LayerReply, fresh: LayerReply): LayerReply | null {
  const variables = joinByPath(old.variables, fresh.variables, ['shape']);
  const histograms = joinHistograms(old.histograms, fresh.histograms);
  const weights = joinHistograms(old.weights, fresh.weights);
  const { activations } = fresh;
  if (!variables || !histograms || weights === undefined) return null;
  if (activations && !old.activations) return null;
  return {
    ...joinArrays(old, fresh, ['variables', 'maps']),
    variables,
    histograms,
    weights,
    activations: activations ? joinActivations(old.activations, activations) : null,
  };
}
