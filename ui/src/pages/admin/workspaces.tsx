// The workspaces that the credential may see.

import { get } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { moment } from "../../charts/format";
import { Empty, Failed, Loading } from "../../parts/states";
import { PARAMS } from "../../state/params";
import { format } from "../../state/route";

export function Workspaces() {
  const found = useFetching("workspaces", (signal) => get("/api/v1/workspaces", { signal }));
  return (
    <section aria-labelledby="workspaces">
      <h2 id="workspaces">Workspaces</h2>
      <p class="faint">A workspace is made by the first thing that is written into it.</p>
      {found.error !== null && <Failed error={found.error} retry={found.retry} />}
      {found.data === null && found.loading && <Loading what="workspaces" />}
      {found.data?.name.length === 0 && <Empty>No workspaces yet.</Empty>}
      {found.data !== null && found.data.name.length > 0 && (
        <div class="wide">
          <table>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Made</th>
              </tr>
            </thead>
            <tbody>
              {found.data.name.map((name, at) => (
                <tr key={name}>
                  <td>
                    <a href={format({ path: ["runs"], query: new URLSearchParams({ [PARAMS.workspace.name]: name }) })}>{name}</a>
                  </td>
                  <td>{moment(Math.floor((found.data?.created_at_us[at] ?? 0) / 1e6))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
