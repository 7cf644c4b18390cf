// Groups of runs beside each other: as curves, by their params, as points, as lines between axes.

import { Searched } from "../../parts/searched";
import { Empty, Failed, Loading } from "../../parts/states";
import { counted, whole } from "../../charts/format";
import { PARAMS, textOf, useParam } from "../../state/params";
import { link } from "../../state/route";
import "./compare.css";
import { Curves } from "./curves";
import { MOST_RUNS, useCompared } from "./data";
import { Parallel } from "./parallel";
import { Params } from "./params";
import { Scatter } from "./scatter";

const VIEWS = [
  { word: "curves", title: "Curves of groups", view: Curves },
  { word: "params", title: "Params", view: Params },
  { word: "scatter", title: "Scatter", view: Scatter },
  { word: "parallel", title: "Parallel coordinates", view: Parallel },
] as const;

export function ComparePage() {
  const [word] = useParam(PARAMS.view);
  const [shown] = useParam(PARAMS.shown);
  const found = useCompared();
  const View = VIEWS.find((each) => each.word === word)?.view ?? Curves;
  return (
    <section class="page compare">
      <h1 class="unseen">Compare</h1>
      <nav class="tabs" aria-label="Ways to compare">
        {VIEWS.map((each) => (
          <a key={each.word} href={link(["compare"], { view: textOf(PARAMS.view, each.word) })} aria-current={each.word === word ? "page" : undefined}>
            {each.title}
          </a>
        ))}
      </nav>
      {shown.length === 0 && <Searched />}
      {found.error !== null && <Failed error={found.error} retry={found.retry} />}
      {found.data === null && found.loading && <Loading what="runs" />}
      {found.data?.runs.length === 0 && (
        <Empty>
          No runs to compare. <a href={link(["runs"])}>Choose some</a>, or log the first one.
        </Empty>
      )}
      {found.data !== null && found.data.runs.length > 0 && (
        <>
          <p class="faint">
            {counted(found.data.runs.length, "run")}{found.data.total > MOST_RUNS && `: the first ${whole(MOST_RUNS)} of ${whole(found.data.total)} that match`}.
          </p>
          <View runs={found.data.runs} />
        </>
      )}
    </section>
  );
}
