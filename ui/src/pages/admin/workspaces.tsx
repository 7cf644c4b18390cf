// The workspaces that the credential may see, and what they hold.

import { get } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { moment, whole } from "../../charts/format";
import { Empty, Failed, Loading } from "../../parts/states";
import { PARAMS } from "../../state/params";
import { format } from "../../state/route";
import { bytes } from "./exposition";

const COUNTED = 20; // workspaces whose use is asked for: the server counts for each

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
                <th scope="col">Runs</th>
                <th scope="col">Points</th>
                <th scope="col">Series</th>
                <th scope="col">Files</th>
              </tr>
            </thead>
            <tbody>
              {found.data.name.map((name, at) => (
                <tr key={name}>
                  <td>
                    <a href={format({ path: ["runs"], query: new URLSearchParams({ [PARAMS.workspace.name]: name }) })}>{name}</a>
                  </td>
                  <td>{moment(Math.floor((found.data?.created_at_us[at] ?? 0) / 1e6))}</td>
                  <Used name={name} asked={at < COUNTED} />
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

/** What a workspace has, and what its quota lets it have. */
function Used({ name, asked }: { name: string; asked: boolean }) {
  const found = useFetching(asked ? `usage ${name}` : null, (signal) => get("/api/v1/usage", { query: { workspace: name }, signal }));
  const of = (used: string, limit: string | null) => (limit === null ? used : `${used} of ${limit}`);
  const data = found.data;
  if (data === null) return <td colSpan={4} class="faint">{found.loading ? "…" : (found.error?.message ?? "")}</td>;
  const { used, quota } = data;
  return (
    <>
      <td class="number">{whole(used.runs)}</td>
      <td class="number">{of(whole(used.points), quota.points === null ? null : whole(quota.points))}</td>
      <td class="number">{of(whole(used.series), quota.series === null ? null : whole(quota.series))}</td>
      <td class="number">{of(bytes(used.file_bytes), quota.file_bytes === null ? null : bytes(quota.file_bytes))}</td>
    </>
  );
}
