/** The only file that fetches. URLs are relative: TensorBoard may live below a path prefix. */

import type { HeatmapReply, LayerReply, Run, RunSummary, ScalarSeries } from './contract';
import { decodeHeatmap } from './data/codes';
import type { Heatmap } from './data/codes';

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

async function getJson<T>(
  route: string,
  parameters: Record<string, string>,
  signal: AbortSignal,
): Promise<T> {
  const query = new URLSearchParams(parameters).toString();
  const endpoint = query ? `${route}?${query}` : route;
  let response: Response;
  try {
    response = await fetch(`./${endpoint}`, { signal });
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

export async function getRuns(signal: AbortSignal): Promise<RunSummary[]> {
  return (await getJson<{ runs: RunSummary[] }>('runs', {}, signal)).runs;
}

export async function getRun(run: string, signal: AbortSignal): Promise<Run> {
  return getJson<Run>('run', { run }, signal);
}

export async function getHeatmap(run: string, signal: AbortSignal): Promise<Heatmap> {
  const reply = await getJson<HeatmapReply>('heatmap', { run }, signal);
  try {
    return decodeHeatmap(reply);
  } catch (error) {
    throw new ApiError(`heatmap?run=${run}`, 200, String(error));
  }
}

export async function getScalars(run: string, signal: AbortSignal): Promise<ScalarSeries[]> {
  return (await getJson<{ series: ScalarSeries[] }>('scalars', { run }, signal)).series;
}

export async function getLayer(
  run: string,
  layer: string,
  signal: AbortSignal,
): Promise<LayerReply> {
  return getJson<LayerReply>('layer', { run, layer }, signal);
}

export async function getProblems(signal: AbortSignal): Promise<string[]> {
  return (await getJson<{ problems: string[] }>('problems', {}, signal)).problems;
}

/** How many runs TensorBoard itself has found, with gradients or without: its core route. */
export async function countTensorboardRuns(signal: AbortSignal): Promise<number> {
  return (await getJson<string[]>('../../runs', {}, signal)).length;
}
