/** The JSON of tb_gradplugin/http_api.md, which is the authority; missing values are null. */

export type Verdict = 'unhealthy' | 'healthy' | 'no data';
export type Severity = 'warning' | 'critical';
export type Series = readonly (number | null)[];

export interface StepRange {
  first: number | null;
  last: number | null;
  logged: number;
}

export interface RunSummary {
  name: string;
  verdict: Verdict | 'unknown';
  kinds: string[];
  steps: StepRange;
  sick_layers: number;
  start_time: number | null;
}

export interface Remedy {
  title: string;
  why: string;
  snippet: string;
  /** Stable, unlike the words; "" in older data. */
  id?: string;
}

export type EvidenceValue = number | string | boolean | null | EvidenceValue[];

export interface Finding {
  kind: string;
  severity: Severity;
  layers: string[];
  since_step: number;
  last_step: number;
  active: boolean;
  evidence: Record<string, EvidenceValue>;
  cause: string;
  remedies: Remedy[];
  /** Stable, such as "vanishing.saturating"; "" in older data. */
  cause_id?: string;
}

/** Something to know of the run as a whole; never an alarm. */
export interface Note {
  kind: string;
  since_step: number;
  evidence: Record<string, EvidenceValue>;
  cause: string;
  remedies: Remedy[];
}

export interface Layer {
  path: string;
  type: string;
  activation: string | null;
  initializer: string | null;
  trainable: boolean;
  parameters: number;
  recorded: boolean;
}

export interface Rule {
  kind: string;
  title: string;
  checks: string;
}

export interface Run {
  name: string;
  verdict: Verdict;
  kinds: string[];
  steps: StepRange;
  findings: Finding[];
  notes?: Note[];
  model: {
    name: string;
    optimizer: string | null;
    loss: string | null;
    backend: string | null;
  } | null;
  layers: Layer[];
  rules: Rule[];
  problems: string[];
  size?: { layers: number; variables: number; steps: number };
}

export type SickRow = [
  row: number,
  kind: string,
  sinceStep: number,
  lastStep: number,
  active: boolean,
];

export interface HeatmapReply {
  steps: number[];
  wall_times: number[];
  layers: string[];
  codes: string;
  sick: SickRow[];
  epoch?: string;
  since?: number;
}

/** Gradient norms: log10 = log10_min + log10_step * (code - 3); 0, 1, 2 as in the heatmap. */
export interface NormsReply {
  steps: number[];
  wall_times: number[];
  layers: string[];
  codes: string;
  log10_min: number;
  log10_step: number;
  epoch?: string;
  since?: number;
}

export interface ScalarsReply {
  series: ScalarSeries[];
  epoch?: string;
  since?: number;
}

/** value = code / 127 * scale, -128 for NaN and Inf; shape [...slices, ...reduced], row-major. */
export interface MapReply {
  variable: string;
  step: number;
  shape: number[];
  slices: number[];
  reduced: number[];
  scale: number;
  codes: string;
}

export interface ScalarSeries {
  name: string;
  label: string;
  kind: 'loss' | 'learning_rate' | 'metric';
  steps: number[];
  wall_times: number[];
  values: Series;
}

export interface LayerVariable {
  path: string;
  role: string;
  shape: number[];
  norm: Series;
  rms: Series;
  mean: Series;
  std: Series;
  max_abs: Series;
  zero_fraction: Series;
  nan_count: Series;
  inf_count: Series;
  weight_norm: Series;
  update_norm: Series;
  update_ratio: Series;
}

export interface VariableHistograms {
  path: string;
  negative: number[][];
  positive: number[][];
  zero: number[];
  nan: number[];
  inf: number[];
}

export interface Histograms {
  steps: number[];
  log10_edges: number[];
  variables: VariableHistograms[];
}

/** What was seen of a layer inside one train step. */
export interface Probe {
  step: number;
  output_mean: number | null;
  output_std: number | null;
  output_max: number | null;
  nonfinite_share: number | null;
  zero_share: number | null;
  dead_share: number | null;
  saturated_share: number | null;
  gradient_norm: number | null;
  through_time: { steps: number[]; norms: Series } | null;
  spectral_radius: number | null;
}

export interface LayerReply {
  layer: string;
  steps: number[];
  wall_times: number[];
  variables: LayerVariable[];
  level: Series;
  histograms: Histograms;
  /** As `histograms`, of log10 |w|. */
  weights?: Histograms | null;
  /** As `histograms`, of log10 |y|: one, of the layer's output in probed steps. */
  activations?: Histograms | null;
  /** Gradient maps on record, newest last. */
  maps?: { variable: string; step: number; shape: number[]; reduced: number[] }[];
  epoch?: string;
  since?: number;
  probe?: Probe | null;
}
