// The table of runs.

import { post } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { Empty, Failed, Loading } from "../../parts/states";
import { link } from "../../state/route";
import { PARAMS, useParam } from "../../state/params";

export function RunsPage() {
  const [filter, setFilter] = useParam(PARAMS.filter);
  const found = useFetching(filter, (signal) => post("/api/v1/runs/search", { body: { filter, limit: 100 }, signal }));
  return (
    <section class="page">
      <input
        type="search"
        aria-label="Filter"
        placeholder="metrics.loss < 0.3 and status = 'RUNNING'"
        value={filter}
        onChange={(event) => setFilter(event.currentTarget.value)}
      />
      {found.error !== null && <Failed error={found.error} retry={found.retry} />}
      {found.data === null && found.loading && <Loading what="runs" />}
      {found.data?.runs.id.length === 0 && <Empty>No runs.</Empty>}
      {found.data !== null && found.data.runs.id.length > 0 && (
        <table>
          <thead>
            <tr>
              <th>Run</th>
              <th>Status</th>
            </tr>
          </thead>
          <tbody>
            {found.data.runs.id.map((id, row) => (
              <tr key={id}>
                <td>
                  <a href={link(["runs", id])}>{found.data?.runs.name[row]}</a>
                </td>
                <td>{found.data?.runs.status[row]}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
