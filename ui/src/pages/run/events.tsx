// What happened to a run, oldest first.

import { get } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { moment } from "../../charts/format";
import { Empty, Failed, Loading } from "../../parts/states";
import type { PartProps } from "./page";

export function Events({ detail }: PartProps) {
  const { id, updated_at_us: updated } = detail.run;
  const found = useFetching(`${id} ${updated}`, (signal) => get("/api/v1/runs/{run_id}/events", { path: { run_id: id }, signal }));
  if (found.error !== null) return <Failed error={found.error} retry={found.retry} />;
  if (found.data === null) return <Loading what="events" />;
  const { time_us: times, kind, text, detail: more } = found.data;
  if (times.length === 0) return <Empty>Nothing has happened to this run.</Empty>;
  return (
    <table class="pairs">
      <thead>
        <tr>
          <th scope="col">When</th>
          <th scope="col">What</th>
          <th scope="col">Text</th>
        </tr>
      </thead>
      <tbody>
        {times.map((time, at) => (
          <tr key={at}>
            <td>{moment(time / 1e6)}</td>
            <td>{kind[at]}</td>
            <td>
              {text[at]}
              {more[at] !== "" && <pre>{more[at]}</pre>}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
