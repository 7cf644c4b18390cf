// Which columns the table has: attributes at hand, and params, tags and metrics looked up by name.

import { useState } from "preact/hooks";
import { Picker } from "../../parts/picker";
import { Popover } from "../../parts/popover";
import { AGGREGATES } from "../../state/rows";
import type { Question } from "../../state/search";
import { keysOf, optionsOf } from "./asking";
import { ATTRIBUTES, type Kind, textOfColumn } from "./columns";

const TABS = [
  ["metrics", "Metrics"],
  ["params", "Params"],
  ["tags", "Tags"],
  ["run", "Run"],
] as const;
const METRIC_KINDS: readonly (readonly [Kind, string])[] = [["spark", "curve"], ...AGGREGATES.map((each) => [each, each] as const)];

interface ChooserProps {
  /** As the address names them. */
  columns: readonly string[];
  onChange: (columns: string[]) => void;
  question: Question;
}

export function ColumnChooser({ columns, onChange, question }: ChooserProps) {
  const [tab, setTab] = useState<(typeof TABS)[number][0]>("metrics");
  const [kind, setKind] = useState<Kind>("last");
  const toggle = (text: string) => onChange(columns.includes(text) ? columns.filter((each) => each !== text) : [...columns, text]);
  const prefix = tab === "metrics" ? kind : tab === "params" ? "param" : "tag";
  return (
    <Popover button="Columns ▾" label="Choose columns">
      {() => (
        <div class="column-chooser">
          <div class="kinds" role="group" aria-label="Kind of column">
            {TABS.map(([word, title]) => (
              <button key={word} type="button" aria-pressed={tab === word} onClick={() => setTab(word)}>
                {title}
              </button>
            ))}
          </div>
          {tab === "metrics" && (
            <label class="aggregate">
              Show{" "}
              <select value={kind} onChange={(event) => setKind(event.currentTarget.value as Kind)}>
                {METRIC_KINDS.map(([word, title]) => (
                  <option key={word} value={word}>
                    {title}
                  </option>
                ))}
              </select>
            </label>
          )}
          {tab === "run" ? (
            <Attributes columns={columns} toggle={toggle} />
          ) : (
            <Picker
              key={tab}
              what={tab}
              list={`${tab} ${JSON.stringify(question)}`}
              chosen={columns.filter((each) => each.startsWith(`${prefix}.`)).map((each) => each.slice(prefix.length + 1))}
              ask={async (text, signal) => {
                const keys = await keysOf(tab, text, question, signal);
                return keys.ok ? { ok: true, data: optionsOf(keys.data, text) } : keys;
              }}
              onToggle={({ id }) => toggle(textOfColumn({ kind: prefix, key: id }))}
            />
          )}
        </div>
      )}
    </Popover>
  );
}

function Attributes({ columns, toggle }: { columns: readonly string[]; toggle: (text: string) => void }) {
  return (
    <div class="picker">
      <ul>
        {Object.entries(ATTRIBUTES)
          .filter(([key]) => key !== "name")
          .map(([key, [title]]) => (
            <li key={key}>
              <label>
                <input type="checkbox" checked={columns.includes(`run.${key}`)} onChange={() => toggle(`run.${key}`)} />
                <span>{title}</span>
              </label>
            </li>
          ))}
      </ul>
    </div>
  );
}
