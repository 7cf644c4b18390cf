// Params and tags of runs side by side: only what differs, or all.

import { useMemo } from "preact/hooks";
import { whole } from "../../charts/format";
import { Empty } from "../../parts/states";
import { PARAMS, useParam } from "../../state/params";
import { link } from "../../state/route";
import type { RunRow } from "../../state/rows";
import { Flag } from "./controls";
import { fieldOf, fieldsOf } from "./groups";

/** Runs that stand side by side. */
const MOST = 50;

export function Params({ runs: all }: { runs: readonly RunRow[] }) {
  const [everything] = useParam(PARAMS.allParams);
  const runs = useMemo(() => all.slice(0, MOST), [all]);
  const rows = useMemo(
    () =>
      fieldsOf(runs).map((field) => {
        const values = runs.map((run) => fieldOf(run, field));
        return { field, values, differs: new Set(values).size > 1 };
      }),
    [runs],
  );
  const shown = everything ? rows : rows.filter((row) => row.differs);
  return (
    <>
      <div class="choose">
        <Flag label={`Show those that are equal too (${whole(rows.length - rows.filter((row) => row.differs).length)})`} param={PARAMS.allParams} />
        {all.length > MOST && <span class="faint">The first {MOST} runs stand side by side.</span>}
      </div>
      {shown.length === 0 ? (
        <Empty>{rows.length === 0 ? "These runs have no params and no tags." : "These runs have the same params and tags."}</Empty>
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label="Params side by side">
          <table class="diff">
            <thead>
              <tr>
                <th scope="col">Name</th>
                {runs.map((run) => (
                  <th scope="col" key={run.id}>
                    <a href={link(["runs", run.id])}>{run.name}</a>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.map(({ field, values, differs }) => (
                <tr key={field} class={differs ? "differs" : undefined}>
                  <th scope="row">{field}</th>
                  {values.map((value, at) => (
                    <td key={runs[at]?.id}>{value ?? <span class="faint">not set</span>}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
