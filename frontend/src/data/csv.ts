/** Tables to take away, as comma-separated values. */

export type Cell = string | number | boolean | null | undefined;

function cell(value: Cell): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  // A name that begins like a formula must not become one in a spreadsheet.
  const text = String(value).replace(/^[=+\-@\t\r]/, "'$&");
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function toCsv(rows: readonly (readonly Cell[])[]): string {
  return `${rows.map((row) => row.map(cell).join(',')).join('\n')}\n`;
}

export interface Column {
  label: string;
  steps: readonly number[];
  values: readonly Cell[];
}

/** One row a step that any of the columns has. */
export function stepTable(columns: readonly Column[]): Cell[][] {
  const steps = [...new Set(columns.flatMap((column) => column.steps))].toSorted((a, b) => a - b);
  const maps = columns.map(({ steps: own, values }) => new Map(own.map((s, i) => [s, values[i]])));
  return [
    ['step', ...columns.map(({ label }) => label)],
    ...steps.map((step) => [step, ...maps.map((map) => map.get(step))]),
  ];
}
