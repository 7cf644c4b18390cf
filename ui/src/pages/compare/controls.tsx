// Small choices above the views; each is a name in the address.

import { useParam, type Param } from "../../state/params";

interface FieldChoiceProps {
  label: string;
  fields: readonly string[];
  value: string;
  set: (field: string) => void;
  /** What stands for no field. */
  none?: string;
}

/** A param, tag or metric. What the address names stays in the list though no run has it. */
export function FieldChoice({ label, fields, value, set, none = "Nothing" }: FieldChoiceProps) {
  const all = value === "" || fields.includes(value) ? fields : [...fields, value];
  return (
    <label>
      <span>{label}</span>
      <select value={value} onChange={(event) => set(event.currentTarget.value)}>
        <option value="">{none}</option>
        {all.map((field) => (
          <option key={field} value={field}>
            {field}
          </option>
        ))}
      </select>
    </label>
  );
}

export function WordChoice<T extends string>({ label, param, words }: { label: string; param: Param<T>; words: Readonly<Record<T, string>> }) {
  const [value, set] = useParam(param);
  return (
    <label>
      <span>{label}</span>
      <select value={value} onChange={(event) => set(event.currentTarget.value as T)}>
        {(Object.entries(words) as [T, string][]).map(([word, title]) => (
          <option key={word} value={word}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Flag({ label, param }: { label: string; param: Param<boolean> }) {
  const [value, set] = useParam(param);
  return (
    <label class="flag">
      <input type="checkbox" checked={value} onChange={(event) => set(event.currentTarget.checked)} />
      <span>{label}</span>
    </label>
  );
}
