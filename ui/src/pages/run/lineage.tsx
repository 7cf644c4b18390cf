// What a run used and made: data sets and models.

import { get } from "../../api/client";
import { useFetching } from "../../api/fetching";
import type { components } from "../../api/schema";
import { Empty, Failed, Loading } from "../../parts/states";
import type { PartProps } from "./page";

type Model = components["schemas"]["ModelLink"];

export function Lineage({ detail }: PartProps) {
  const run = detail.run.id;
  const found = useFetching(run, (signal) => get("/api/v1/runs/{run_id}/lineage", { path: { run_id: run }, signal }));
  if (found.data === null) return found.error === null ? <Loading what="inputs and models" /> : <Failed error={found.error} retry={found.retry} />;
  const { datasets, models_used, models_made } = found.data;
  if (datasets.length + models_used.length + models_made.length === 0) return <Empty>This run names no data sets and no models.</Empty>;
  return (
    <>
      {datasets.length > 0 && (
        <section>
          <h2>
            Data sets <span class="faint">{datasets.length}</span>
          </h2>
          <table class="pairs">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Used for</th>
                <th scope="col">Digest</th>
                <th scope="col">Source</th>
              </tr>
            </thead>
            <tbody>
              {datasets.map((each) => (
                <tr key={`${each.name} ${each.digest} ${each.context}`}>
                  <th scope="row">{each.name}</th>
                  <td>{each.context || "–"}</td>
                  <td>{each.digest}</td>
                  <td>
                    {each.source_type} <span class="clamp">{each.source}</span>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      <Models title="Models used" models={models_used} />
      <Models title="Models made" models={models_made} />
    </>
  );
}

function Models({ title, models }: { title: string; models: readonly Model[] }) {
  if (models.length === 0) return null;
  return (
    <section>
      <h2>
        {title} <span class="faint">{models.length}</span>
      </h2>
      <table class="pairs">
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col">Kind</th>
            <th scope="col">Status</th>
            <th scope="col">Step</th>
            <th scope="col">Id</th>
          </tr>
        </thead>
        <tbody>
          {models.map((each) => (
            <tr key={each.id}>
              <th scope="row">{each.name ?? "Not known here"}</th>
              <td>{each.model_type ?? "–"}</td>
              <td>{each.status ?? "–"}</td>
              <td>{each.step ?? "–"}</td>
              <td>{each.id}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
