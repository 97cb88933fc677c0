/** Evidence of a finding as labelled values with units, from the names the rules give them. */

import type { EvidenceValue } from '../contract';
import { formatFactor, formatInteger, formatNumber, formatPercent } from './format';

export interface EvidenceLine {
  label: string;
  value: string;
}

type Write = (value: number) => string;

const LIST_LIMIT = 6;

const weaker: Write = (v) => `${formatFactor(-Math.abs(v))} (${formatNumber(Math.abs(v))} decades)`;
const stronger: Write = (v) => `${formatFactor(v)} (${formatNumber(v)} decades)`;
const fromStart: Write = (v) => `${formatFactor(-v)} (${formatNumber(Math.abs(v))} decades)`;
const perLayer: Write = (v) => `${formatNumber(v)} decades a layer`;
const elements: Write = (v) => `${formatInteger(v)} ${v === 1 ? 'element' : 'elements'}`;
const yesNo: Write = (v) => (v ? 'yes' : 'no');
const stepNumber: Write = (v) => `step ${formatInteger(v)}`;

/** What the rules measure, in a reader's words. */
const KNOWN: Record<string, readonly [label: string, write: Write]> = {
  attenuation_decades: ['Against the strongest layer', weaker],
  depth_slope_decades: ['Lost per layer of depth', perLayer],
  influence_decades: ['Effect of doubling the weights', weaker],
  silent_layers: ['Layers with no gradient at all', formatInteger],
  first_layer_norm: ['Gradient norm, first layer', formatNumber],
  last_layer_norm: ['Gradient norm, last layer', formatNumber],
  loss: ['Loss', formatNumber],
  first_loss: ['Loss at the start', formatNumber],
  highest_loss: ['Highest loss', formatNumber],
  last_finite_loss: ['Last finite loss', formatNumber],
  baseline_loss: ['Loss of the best constant guess', formatNumber],
  learning_rate: ['Learning rate', formatNumber],
  zero_layers: ['Layers with zero gradient', formatInteger],
  judged_layers: ['Layers judged', formatInteger],
  zero_since_step: ['Exactly zero since', stepNumber],
  zero_points: ['Logged steps at zero', formatInteger],
  had_gradient_before: ['Had a gradient before', yesNo],
  nan_elements: ['NaN in the gradients', elements],
  inf_elements: ['Inf in the gradients', elements],
  share_of_elements: ['Share of all elements', formatPercent],
  share_of_variables: ['Share of all variables', formatPercent],
  norm_growth_decades: ['Norm against its start', stronger],
  largest_norm: ['Largest gradient norm', formatNumber],
  update_ratio: ['Update ratio ‖ΔW‖/‖W‖', formatNumber],
  largest_update_ratio: ['Largest ratio of any variable', formatNumber],
  weight_growth: ['Weights by step 20, times their start', formatNumber],
  reach: ['Most the loss could have fallen', formatPercent],
  loss_at_half_time: ['Loss half the steps ago', formatNumber],
  spectral_radius: ['Spectral radius of the recurrent kernel', formatNumber],
  dropout_rate: ['Switched off by dropout', formatPercent],
  start_decades: ['Initial weights alone', fromStart],
  poor_start: ['Initial weights at fault', fromStart],
  initial_deviation: ['Deviation of the initial weights', formatNumber],
  expected_deviation: ['Deviation that keeps the signal', formatNumber],
  expected_by: ['Rule for that deviation', formatNumber],
  start_layer: ['Layer measured', formatNumber],
  data_size: ['Size of the data', formatNumber],
  output_mismatch: ['Output', formatNumber],
  start_times_orthogonal: ['Recurrent weights, times orthogonal', formatNumber],
  inverse_width_sum: ['Sum of 1 / width', formatNumber],
  gamma: ['Gamma of the batch normalisation', formatNumber],
  time_growth_decades: ['First time step against the last', stronger],
  target_scale: ['Targets, times the largest output', formatNumber],
  weight_size: ['Weights, times their start', formatNumber],
};

/** Units of measures that are not known here, by the ending of their name. */
const ENDINGS: readonly (readonly [ending: string, keep: boolean, write: Write])[] = [
  ['_decades', false, stronger],
  ['_fraction', true, formatPercent],
  ['_share', true, formatPercent],
  ['_elements', false, elements],
  ['_count', false, formatInteger],
  ['_step', false, stepNumber],
  ['_steps', true, formatInteger],
];

/** What the exploding rule names by a code word, in a reader's words. */
const SIGNS: Record<string, string> = {
  loss: 'a rising loss',
  start: 'the loss at the start',
  update: 'the size of the updates',
  depth: 'growth from layer to layer',
  blow_up: 'a blow-up to NaN or Inf',
  weights: 'growth of the weights',
  time: 'growth through time',
  reach: 'how far updates could have come',
  scale: 'the scale of the targets',
};

const SPELLING: Record<string, string> = { nan: 'NaN', inf: 'Inf', rms: 'RMS', relu: 'ReLU' };

/** "zero_share" -> "Zero share". */
export function labelOf(name: string): string {
  const words = name
    .split('_')
    .filter(Boolean)
    .map((word) => (Object.hasOwn(SPELLING, word) ? (SPELLING[word] as string) : word))
    .join(' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function writeValue(value: EvidenceValue, write: Write): string {
  if (value === null) return 'unknown';
  if (typeof value === 'number') return write(value);
  if (typeof value === 'boolean') return yesNo(Number(value));
  if (typeof value === 'string')
    return Object.hasOwn(SPELLING, value) ? (SPELLING[value] as string) : value;
  const shown = value.slice(0, LIST_LIMIT).map((item) => writeValue(item, write));
  return value.length > LIST_LIMIT
    ? `${shown.join(', ')}, … (${formatInteger(value.length)} values)`
    : shown.join(', ');
}

export function evidenceLine(name: string, value: EvidenceValue): EvidenceLine {
  if (name === 'sign' && typeof value === 'string') {
    return {
      label: 'Shown by',
      value: Object.hasOwn(SIGNS, value) ? (SIGNS[value] as string) : value,
    };
  }
  if (Object.hasOwn(KNOWN, name)) {
    const [label, write] = KNOWN[name] as readonly [string, Write];
    return { label, value: writeValue(value, write) };
  }
  const found = ENDINGS.find(([ending]) => name.endsWith(ending));
  const [ending, keep, write] = found ?? ['', true, formatNumber];
  const base = keep ? name : name.slice(0, -ending.length);
  return { label: labelOf(base || name), value: writeValue(value, write) };
}

/** One line a measure; what is null was not known and would only be noise. */
export function evidenceLines(evidence: Record<string, EvidenceValue>): EvidenceLine[] {
  return Object.entries(evidence)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => evidenceLine(name, value));
}
