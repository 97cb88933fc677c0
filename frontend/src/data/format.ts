/** Numbers as people read them. */

const MINUS = '\u2212';
const integers = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** 12345 -> "12,345". */
export function formatInteger(value: number): string {
  return integers.format(value).replace('-', MINUS);
}

/** Three significant digits; scientific where a plain number would be hard to read. */
export function formatNumber(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return '—';
  if (value === 0) return '0';
  const magnitude = Math.abs(value);
  let text: string;
  if (magnitude < 1e-3 || magnitude >= 1e6) {
    const [mantissa = '', exponent = ''] = value.toExponential(2).split('e');
    text = `${Number(mantissa)}e${exponent.replace('+', '')}`;
  } else if (magnitude >= 1000) {
    text = integers.format(value);
  } else {
    text = String(Number(value.toPrecision(3)));
  }
  return text.replaceAll('-', MINUS);
}

/** Labels of an axis: as `formatNumber`, with as many digits as it takes to tell ticks apart. */
export function formatTicks(ticks: readonly number[]): string[] {
  const short = ticks.map(formatNumber);
  if (new Set(short).size === short.length) return short;
  const gap = Math.min(...ticks.slice(1).map((tick, i) => Math.abs(tick - (ticks[i] ?? tick))));
  if (!(gap > 0)) return short;
  const decimals = Math.min(20, Math.max(0, Math.ceil(-Math.log10(gap) - 1e-9)));
  return ticks.map((tick) => tick.toFixed(decimals).replace('-', MINUS));
}

/** 0.123 -> "12.3 %"; a share that is there is never shown as 0 %. */
export function formatPercent(share: number): string {
  if (share === 0) return '0 %';
  if (share === 1) return '100 %';
  const percent = share * 100;
  if (percent < 0.1) return '< 0.1 %';
  if (percent > 99.9) return '> 99.9 %';
  return `${Number(percent.toFixed(1))} %`;
}

/** -3.62 -> "−3.62 decades". */
export function formatDecades(level: number): string {
  const sign = level > 0 ? '+' : level < 0 ? MINUS : '';
  return `${sign}${Math.abs(level).toFixed(1)} decades`;
}

/** Ten to the power of `decades` as a factor: -3 -> "1/1,000", 1.5 -> "32×". */
export function formatFactor(decades: number): string {
  const times = 10 ** Math.abs(decades);
  const rounded = times < 10 ? Number(times.toFixed(1)) : Number(times.toPrecision(2));
  const text = rounded < 1e6 ? formatFloat(rounded) : formatNumber(rounded);
  return decades < 0 ? `1/${text}` : `${text}×`;
}

function formatFloat(value: number): string {
  return value >= 1000 ? integers.format(value) : String(value);
}

/** "1 layer", "5 layers". */
export function plural(count: number, noun: string): string {
  return `${formatInteger(count)} ${noun}${count === 1 ? '' : 's'}`;
}
