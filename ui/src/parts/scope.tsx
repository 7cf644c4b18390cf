// Where one looks: the workspace, its experiments and its saved views, in the bar.

import type { components } from "../api/schema";
import { get, type Result } from "../api/client";
import { useFetching } from "../api/fetching";
import { quoted } from "../state/filter";
import { PARAMS, textOf, useParam } from "../state/params";
import { change } from "../state/route";
import { experimentIds } from "../state/search";
import { Picker, type Options } from "./picker";
import { Popover } from "./popover";
import { Views } from "./views";

type ExperimentPage = components["schemas"]["ExperimentPage"];
const PAGE = 100;

export function Scope() {
  return (
    <div class="scope">
      <Workspaces />
      <Experiments />
      <Views />
    </div>
  );
}

function Workspaces() {
  const [workspace] = useParam(PARAMS.workspace);
  const found = useFetching("workspaces", (signal) => get("/api/v1/workspaces", { signal }));
  const names = [...new Set([...(found.data?.name ?? []), ...(workspace === "" ? [] : [workspace])])];
  if (names.length < 2 && workspace === "") return null;
  // What belongs to a workspace means nothing in another one.
  const move = (name: string) =>
    change({ [PARAMS.workspace.name]: textOf(PARAMS.workspace, name), experiments: null, shown: null, hidden: null });
  return (
    <select aria-label="Workspace" value={workspace} onChange={(event) => move(event.currentTarget.value)}>
      <option value="">My workspace</option>
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

function Experiments() {
  const [chosen, setChosen] = useParam(PARAMS.experiments);
  const ids = experimentIds(chosen);
  const filter = ids === null ? null : `experiment_id IN (${ids.map((id) => quoted(String(id))).join(", ")})`;
  const named = useFetching(filter, (signal) => experiments(filter ?? "", ids?.length ?? 1, signal));
  const label = ids === null ? "All experiments" : ids.length === 1 ? (named.data?.options[0]?.text ?? `Experiment ${ids[0]}`) : `${ids.length} experiments`;
  return (
    <Popover button={<span class="cut">{label} ▾</span>} label={`Experiments: ${label}`}>
      {() => (
        <>
          <button type="button" disabled={ids === null} onClick={() => setChosen([])}>
            All experiments
          </button>
          <Picker
            what="experiments"
            list="experiments"
            chosen={chosen}
            ask={(text, signal) => experiments(text.trim() === "" ? "" : `name ILIKE ${quoted(`%${text.trim()}%`)}`, PAGE, signal)}
            onToggle={({ id }) => setChosen(chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id])}
          />
        </>
      )}
    </Popover>
  );
}

async function experiments(filter: string, limit: number, signal: AbortSignal): Promise<Result<Options>> {
  const found: Result<ExperimentPage> = await get("/api/v1/experiments", { query: { filter, limit }, signal });
  if (!found.ok) return found;
  const { id, name } = found.data.experiments;
  const options = id.map((each, at) => ({ id: String(each), text: name[at] ?? "" }));
  return { ok: true, data: { options, more: found.data.cursor !== null } };
}
