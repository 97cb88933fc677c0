interface Props<T extends string> {
  label: string;
  value: T;
  options: readonly (readonly [value: T, text: string])[];
  onChange: (value: T) => void;
  testid?: string;
}

/** A labelled list to choose from; the label is for those who cannot see what it is about. */
export function Choice<T extends string>({ label, value, options, onChange, testid }: Props<T>) {
  return (
    <select
      aria-label={label}
      title={label}
      value={value}
      data-testid={testid}
      onChange={(event) => onChange(event.currentTarget.value as T)}
    >
      {options.map(([name, text]) => (
        <option key={name} value={name}>
          {text}
        </option>
      ))}
    </select>
  );
}
