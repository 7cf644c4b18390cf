// One run, whole.

import { get } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { Failed, Loading } from "../../parts/states";

export function RunPage({ id }: { id: string }) {
  const found = useFetching(id, (signal) => get("/api/v1/runs/{run_id}", { path: { run_id: id }, signal }));
  if (found.error !== null) return <Failed error={found.error} retry={found.retry} />;
  if (found.data === null) return <Loading what="the run" />;
  return (
    <section class="page">
      <h1>{found.data.run.name}</h1>
    </section>
  );
}
