import { toCsv } from '../data/csv';
import type { Cell } from '../data/csv';
import { saveCsv, savePng } from '../host/save';

interface Props {
  /** Name of the files, without ending. */
  name: string;
  /** What is saved, in a reader's words. */
  what: string;
  table: () => readonly (readonly Cell[])[];
}

/** Takes the panel around it away as a table or as a picture. */
export function Exports({ name, what, table }: Props) {
  return (
    <span class="exports">
      <button
        type="button"
        aria-label={`Save ${what} as CSV`}
        onClick={() => saveCsv(toCsv(table()), name)}
      >
        CSV
      </button>
      <button
        type="button"
        aria-label={`Save ${what} as PNG`}
        onClick={(event) => {
          const panel = event.currentTarget.closest('[data-panel]');
          if (panel) savePng(panel, name);
        }}
      >
        PNG
      </button>
    </span>
  );
}
