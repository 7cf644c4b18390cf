// The frame around every page: where one looks, places, theme, sign-in, and which page the address names.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { identity } from "./api/client";
import { KeysDialog } from "./parts/keys";
import { Notices } from "./parts/notices";
import { Scope } from "./parts/scope";
import { SignIn } from "./parts/signin";
import { useKey } from "./state/keyboard";
import { PARAMS, useParam } from "./state/params";
import { link, useRoute } from "./state/route";
import { isOut, mayAdmin, signOut, useSession } from "./state/session";
import { useTheme } from "./state/theme";
import { useWho, Who } from "./state/who";
import { RunsPage } from "./pages/runs/page";
import { ChartsPage } from "./pages/charts/page";
import { RunPage } from "./pages/run/page";
import { ComparePage } from "./pages/compare/page";
import { AdminPage } from "./pages/admin/page";

const RUNS: { word: string; title: string; page: ComponentType } = { word: "runs", title: "Runs", page: RunsPage };
const PLACES: readonly (typeof RUNS)[] = [
  RUNS,
  { word: "charts", title: "Charts", page: ChartsPage },
  { word: "compare", title: "Compare", page: ComparePage },
  { word: "admin", title: "Admin", page: AdminPage },
];

export function App() {
  const { path } = useRoute();
  const [workspace] = useParam(PARAMS.workspace);
  const session = useSession();
  const run = runOf(path);
  const place = PLACES.find(({ word }) => word === path[0]) ?? RUNS;
  const title = run ?? place.title;
  useEffect(() => {
    document.title = `${title} · Stepwell`;
  }, [title]);
  // Before any page asks: what it asks for lies in this workspace.
  identity.workspace = workspace === "" ? null : workspace;
  return (
    <Who.Provider value={session}>
      <Bar here={run === null ? place.word : null} workspace={workspace} />
      <main key={workspace}>{isOut(session) ? <SignIn ended={session === "ended"} /> : run === null ? <place.page /> : <RunPage key={run} id={run} />}</main>
      <Notices />
    </Who.Provider>
  );
}

function Bar({ here, workspace }: { here: string | null; workspace: string }) {
  const session = useWho();
  const [theme, nextTheme] = useTheme();
  const [help, setHelp] = useState(false);
  useKey("?", () => setHelp(true));
  return (
    <header class="bar">
      <a class="brand" href={link([])}>
        Stepwell
      </a>
      <nav aria-label="Places">
        {PLACES.filter(({ word }) => word !== "admin" || mayAdmin(session)).map(({ word, title }) => (
          <a key={word} href={link([word])} aria-current={word === here ? "page" : undefined}>
            {title}
          </a>
        ))}
      </nav>
      {!isOut(session) && <Scope key={workspace} />}
      <span class="space" />
      {!isOut(session) && identity.secret !== null && (
        <button type="button" onClick={signOut}>
          Sign out
        </button>
      )}
      <button type="button" onClick={() => setHelp(true)} aria-label="Keys" title="Keys">
        ?
      </button>
      <button type="button" onClick={nextTheme} title="Light, dark, or as the system has it">
        Theme: {theme}
      </button>
      {help && <KeysDialog close={() => setHelp(false)} />}
    </header>
  );
}

/** #/runs/ID, and #/experiments/N/runs/ID as MLflow's client prints it. */
function runOf(path: string[]): string | null {
  if (path[0] === "runs") return path[1] ?? null;
  if (path[0] === "experiments" && path[2] === "runs") return path[3] ?? null;
  return null;
}
