// The frame around every page: where one looks, places, theme, sign-in, and which page the address names.

import type { ComponentType } from "preact";
import { useState } from "preact/hooks";
import { identity } from "./api/client";
import { KeysDialog } from "./parts/keys";
import { Notices } from "./parts/notices";
import { Scope } from "./parts/scope";
import { SignIn } from "./parts/signin";
import { useKey } from "./state/keyboard";
import { PARAMS, useParam } from "./state/params";
import { link, useRoute } from "./state/route";
import { mayAdmin, signOut, useSession } from "./state/session";
import { useTheme } from "./state/theme";
import { Who } from "./state/who";
import { RunsPage } from "./pages/runs/page";
import { ChartsPage } from "./pages/charts/page";
import { RunPage } from "./pages/run/page";
import { ComparePage } from "./pages/compare/page";
import { AdminPage } from "./pages/admin/page";

const PLACES: readonly { word: string; title: string; page: ComponentType }[] = [
  { word: "runs", title: "Runs", page: RunsPage },
  { word: "charts", title: "Charts", page: ChartsPage },
  { word: "compare", title: "Compare", page: ComparePage },
  { word: "admin", title: "Admin", page: AdminPage },
];

export function App() {
  const { path } = useRoute();
  const [workspace] = useParam(PARAMS.workspace);
  const session = useSession();
  const [help, setHelp] = useState(false);
  useKey("?", () => setHelp(true));
  // Before any page asks: what it asks for lies in this workspace.
  identity.workspace = workspace === "" ? null : workspace;
  const [theme, nextTheme] = useTheme();
  const word = path[0] ?? "runs";
  const run = runOf(path);
  const Page = PLACES.find((place) => place.word === word)?.page ?? RunsPage;
  return (
    <Who.Provider value={session}>
      <header class="bar">
        <a class="brand" href={link([])}>
          Stepwell
        </a>
        <nav aria-label="Places">
          {PLACES.filter((place) => place.word !== "admin" || mayAdmin(session)).map((place) => (
            <a key={place.word} href={link([place.word])} aria-current={place.word === word && run === null ? "page" : undefined}>
              {place.title}
            </a>
          ))}
        </nav>
        {session !== "refused" && <Scope key={workspace} />}
        <span class="space" />
        {session !== "refused" && identity.secret !== null && (
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
      </header>
      <main key={workspace}>{session === "refused" ? <SignIn /> : run === null ? <Page /> : <RunPage key={run} id={run} />}</main>
      <Notices />
      {help && <KeysDialog close={() => setHelp(false)} />}
    </Who.Provider>
  );
}

/** #/runs/ID, and #/experiments/N/runs/ID as MLflow's client prints it. */
function runOf(path: string[]): string | null {
  if (path[0] === "runs") return path[1] ?? null;
  if (path[0] === "experiments" && path[2] === "runs") return path[3] ?? null;
  return null;
}
