/** The only file that fetches. URLs are relative: TensorBoard may live below a path prefix. */

import type { LayerReply, MapReply, Run, RunSummary, ScalarsReply } from './contract';
import { decodeHeatmap } from './data/codes';
import type { Heatmap } from './data/codes';
import { joinLayer, joinScalars, joinTables } from './data/grow';
import { decodeMap } from './data/map';
import { decodeNorms } from './data/norms';
import type { Norms } from './data/norms';

const MESSAGE_LIMIT = 300;

/** A reply that did not come, is an error, or is not what the contract says. */
export class ApiError extends Error {
  constructor(
    readonly endpoint: string,
    readonly status: number | null,
    message: string,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** First line of an error body; a page of HTML says nothing to a reader. */
function sentenceOf(body: string): string {
  const line = body.trim().split('\n')[0] ?? '';
  return line.startsWith('<') ? '' : line.slice(0, MESSAGE_LIMIT);
}

/** Answers that a page without a server carries in itself, by request. */
function readInlined(): Record<string, unknown> | null {
  const text = globalThis.document?.getElementById('gradients-data')?.textContent;
  return text ? (JSON.parse(text) as { answers: Record<string, unknown> }).answers : null;
}

const inlined = readInlined();
/** A file on a disk: nothing can be asked, and nothing will change. */
export const isFile = inlined !== null;

async function getJson<T>(
  route: string,
  parameters: Record<string, string>,
  signal: AbortSignal,
  since: Record<string, string> = {},
): Promise<T> {
  const write = (all: Record<string, string>): string => {
    const parts = Object.entries(all).map(
      ([name, value]) => `${name}=${encodeURIComponent(value)}`,
    );
    return parts.length > 0 ? `${route}?${parts.join('&')}` : route;
  };
  const endpoint = write(parameters);
  if (inlined) {
    if (Object.hasOwn(inlined, endpoint)) return inlined[endpoint] as T;
    throw new ApiError(endpoint, null, 'It is not in this file.');
  }
  let response: Response;
  try {
    response = await fetch(`./${write({ ...parameters, ...since })}`, { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ApiError(endpoint, null, 'TensorBoard does not answer. Is it still running?');
  }
  const body = await response.text();
  if (!response.ok) {
    throw new ApiError(endpoint, response.status, sentenceOf(body) || response.statusText);
  }
  try {
    return JSON.parse(body) as T;
  } catch {
    throw new ApiError(endpoint, response.status, 'The reply is not JSON.');
  }
}

interface Growing {
  epoch?: string | undefined;
}

/**
 * Asks for what is new since `held`, and joins it; all of it where the server does not know what
 * is held any more, or gives no epochs. `last` is the last step held.
 */
async function getGrowing<R extends { epoch?: string; since?: number }, T extends Growing>(
  route: string,
  parameters: Record<string, string>,
  signal: AbortSignal,
  held: T | null,
  last: (held: T) => number | undefined,
  decode: (reply: R) => T,
  join: (old: T, fresh: T, since: number) => T | null,
): Promise<T> {
  const step = held?.epoch === undefined ? undefined : last(held);
  const since = step === undefined ? {} : { since: String(step), epoch: held?.epoch as string };
  const reply = await getJson<R>(route, parameters, signal, since);
  try {
    const fresh = decode(reply);
    if (!held || step === undefined || reply.since === undefined) return fresh;
    const joined = reply.since === step ? join(held, fresh, step) : null;
    return joined ?? decode(await getJson<R>(route, parameters, signal));
  } catch (error) {
    throw new ApiError(`${route}?${new URLSearchParams(parameters)}`, 200, String(error));
  }
}

export async function getRuns(signal: AbortSignal): Promise<RunSummary[]> {
  return (await getJson<{ runs: RunSummary[] }>('runs', {}, signal)).runs;
}

export async function getRun(run: string, signal: AbortSignal): Promise<Run> {
  return getJson<Run>('run', { run }, signal);
}

const lastOf = ({ steps }: { steps: number[] }): number | undefined => steps.at(-1);

export async function getHeatmap(run: string, signal: AbortSignal, held: Heatmap | null) {
  const query = { run };
  return getGrowing('heatmap', query, signal, held, lastOf, decodeHeatmap, joinTables<Heatmap>);
}

export async function getNorms(run: string, signal: AbortSignal, held: Norms | null) {
  return getGrowing('norms', { run }, signal, held, lastOf, decodeNorms, joinTables<Norms>);
}

export async function getScalars(run: string, signal: AbortSignal, held: ScalarsReply | null) {
  return getGrowing<ScalarsReply, ScalarsReply>(
    'scalars',
    { run },
    signal,
    held,
    // All series are held up to there: one that lags would lose what comes late.
    ({ series }) => {
      const lasts = series.map(lastOf);
      const known = lasts.filter((step) => step !== undefined);
      return known.length > 0 && known.length === lasts.length ? Math.min(...known) : undefined;
    },
    (reply) => reply,
    (old, fresh, since) => {
      const series = joinScalars(old.series, fresh.series, since);
      return series && { ...fresh, series };
    },
  );
}

export async function getLayer(
  run: string,
  layer: string,
  signal: AbortSignal,
  held: LayerReply | null,
): Promise<LayerReply> {
  return getGrowing<LayerReply, LayerReply>(
    'layer',
    { run, layer },
    signal,
    held,
    lastOf,
    (reply) => reply,
    joinLayer,
  );
}

export async function getMap(run: string, variable: string, step: number, signal: AbortSignal) {
  const query = { run, variable, step: String(step) };
  return decodeMap(await getJson<MapReply>('map', query, signal));
}

export async function getProblems(signal: AbortSignal): Promise<string[]> {
  return (await getJson<{ problems: string[] }>('problems', {}, signal)).problems;
}

/** How many runs TensorBoard itself has found, with gradients or without: its core route. */
export async function countTensorboardRuns(signal: AbortSignal): Promise<number> {
  return (await getJson<string[]>('../../runs', {}, signal)).length;
}
