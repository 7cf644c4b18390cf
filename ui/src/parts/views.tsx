// Saved views: what the page shows now, kept on the server under a name, for everybody of the workspace.

import { useState } from "preact/hooks";
import { get, put, remove } from "../api/client";
import { useFetching } from "../api/fetching";
import { current, format, parse } from "../state/route";
import { mayWrite } from "../state/session";
import { useWho } from "../state/who";
import { notify } from "./notices";
import { Popover } from "./popover";
import { Empty, Failed, Loading } from "./states";

export function Views() {
  return (
    <Popover button="Views ▾" label="Saved views">
      {(close) => <List close={close} />}
    </Popover>
  );
}

function List({ close }: { close: () => void }) {
  const found = useFetching("views", (signal) => get("/api/v1/views", { signal }));
  const writes = mayWrite(useWho());
  const views = found.data?.views ?? [];
  const save = async (name: string, address: string) => {
    const saved = await put("/api/v1/views/{view}", { path: { view: name }, body: { address } });
    notify(saved.ok ? { text: `View ${name} is saved.` } : { text: saved.error.message, bad: true });
    found.retry();
  };
  const drop = async (name: string, address: string) => {
    const done = await remove("/api/v1/views/{view}", { path: { view: name } });
    notify(done.ok ? { text: `View ${name} is deleted.`, undo: () => void save(name, address) } : { text: done.error.message, bad: true });
    found.retry();
  };
  return (
    <div class="views">
      {found.error !== null && <Failed error={found.error} retry={found.retry} />}
      {found.data === null && found.loading && <Loading what="views" />}
      {found.data !== null && views.length === 0 && <Empty>No saved views yet.</Empty>}
      <ul>
        {views.map(({ name, address }) => (
          <li key={name}>
            <a href={format(parse(address))} onClick={close}>
              {name}
            </a>
            {writes && (
              <button type="button" aria-label={`Delete the view ${name}`} onClick={() => void drop(name, address)}>
                ×
              </button>
            )}
          </li>
        ))}
      </ul>
      {writes && <Save save={(name) => void save(name, format(current()))} taken={views.map(({ name }) => name)} />}
    </div>
  );
}

function Save({ save, taken }: { save: (name: string) => void; taken: readonly string[] }) {
  const [name, setName] = useState("");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save(name);
        setName("");
      }}
    >
      <label class="field">
        <span>Keep what is shown now as</span>
        <input required value={name} onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <div class="choices">
        <button type="submit" disabled={name === ""}>
          {taken.includes(name) ? "Replace" : "Save"}
        </button>
      </div>
    </form>
  );
}
