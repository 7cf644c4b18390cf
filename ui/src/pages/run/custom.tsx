// The custom info of a run: named texts that its client wrote, shown as they are; what is a table in JSON as one.

import { get } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { save } from "../../charts/export";
import { whole } from "../../charts/format";
import { Empty, Failed, Loading } from "../../parts/states";
import type { PartProps } from "./page";
import { Rows } from "./preview";
import { jsonTable, MOST_TEXT } from "./preview-text";

export function CustomInfo({ detail }: PartProps) {
  const { id, updated_at_us: updated } = detail.run;
  const found = useFetching(`${id} ${updated}`, (signal) => get("/api/v1/runs/{run_id}/custom-info", { path: { run_id: id }, signal }));
  if (found.error !== null) return <Failed error={found.error} retry={found.retry} />;
  if (found.data === null) return <Loading what="the custom info" />;
  const texts = Object.entries(found.data.custom_info);
  if (texts.length === 0) return <Empty>This run has no custom info.</Empty>;
  return (
    <>
      {texts.map(([name, text]) => (
        <section key={name} aria-label={name}>
          <header class="line">
            <h2>{name}</h2>
            <button type="button" onClick={() => save(new Blob([text]), `${name}.txt`)}>
              Save as text
            </button>
          </header>
          <Content name={name} text={text} />
        </section>
      ))}
    </>
  );
}

function Content({ name, text }: { name: string; text: string }) {
  const table = text.length > MOST_TEXT ? null : jsonTable(text);
  if (table !== null) return <Rows table={table} />;
  return (
    <>
      {text.length > MOST_TEXT && (
        <p class="faint">
          The first {whole(MOST_TEXT)} of {whole(text.length)} characters.
        </p>
      )}
      <pre class="content" tabIndex={0} aria-label={name}>
        {text.slice(0, MOST_TEXT)}
      </pre>
    </>
  );
}
