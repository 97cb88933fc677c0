import type { LayerVariable } from '../contract';

interface Props {
  variables: readonly LayerVariable[];
  selected: string;
  onSelect: (path: string) => void;
}

export function VariablePicker({ variables, selected, onSelect }: Props) {
  return (
    <label class="variable-picker">
      <span class="visually-hidden">Variable</span>
      <select
        value={selected}
        data-testid="variable-picker"
        onChange={(event) => onSelect(event.currentTarget.value)}
      >
        {variables.map(({ path, shape }) => (
          <option key={path} value={path}>
            {`${path.split('/').at(-1) ?? path} (${shape.length > 0 ? shape.join(' × ') : 'scalar'})`}
          </option>
        ))}
      </select>
    </label>
  );
}
