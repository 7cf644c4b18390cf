// A look into a file: as text, as a table, or as a picture out of a blob. Scripts in a picture do not run there.

import { useEffect, useState } from "preact/hooks";
import { file, opened, type Problem } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { whole } from "../../charts/format";
import { Failed, Loading } from "../../parts/states";
import { jsonTable, kindOf, MOST_PICTURE, MOST_TEXT, pictureType, separated, sizeText, type Table } from "./preview-text";

export function fileAddress(run: string, path: string): string {
  return `/api/v1/runs/${encodeURIComponent(run)}/artifacts/${path.split("/").map(encodeURIComponent).join("/")}`;
}

export function Preview({ run, path, size }: { run: string; path: string; size: number }) {
  const kind = kindOf(path);
  if (kind === "none") return <p class="faint">Files of this kind are not shown. Download it to look inside.</p>;
  if (kind === "picture") return <Picture run={run} path={path} size={size} />;
  return <Content run={run} path={path} size={size} kind={kind} />;
}

function Content({ run, path, size, kind }: { run: string; path: string; size: number; kind: "text" | "table" | "json" }) {
  const found = useFetching(`${run} ${path}`, (signal) => beginning(fileAddress(run, path), signal));
  if (found.error !== null) return <Failed error={found.error} retry={found.retry} />;
  if (found.data === null) return <Loading what="the file" />;
  const text = found.data;
  const table = kind === "text" ? null : kind === "json" ? jsonTable(text) : separated(text, path.toLowerCase().endsWith(".tsv") ? "\t" : ",");
  return (
    <>
      {size > MOST_TEXT && (
        <p class="faint">
          The first {sizeText(MOST_TEXT)} of {sizeText(size)}.
        </p>
      )}
      {table === null ? <pre class="content">{text}</pre> : <Rows table={table} />}
    </>
  );
}

export function Rows({ table }: { table: Table }) {
  return (
    <>
      <p class="faint">{table.all > table.rows.length ? `The first ${whole(table.rows.length)} of ${whole(table.all)} rows.` : `${whole(table.all)} rows.`}</p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Table">
        <table class="pairs">
          <thead>
            <tr>
              {table.head.map((name, at) => (
                <th scope="col" key={at}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {table.rows.map((row, at) => (
              <tr key={at}>
                {row.map((cell, column) => (
                  <td key={column}>{cell}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Picture({ run, path, size }: { run: string; path: string; size: number }) {
  const small = size <= MOST_PICTURE;
  const found = useFetching(small ? `${run} ${path}` : null, (signal) => file(fileAddress(run, path), signal));
  const [address, setAddress] = useState("");
  const [broken, setBroken] = useState(false);
  const blob = found.data;
  useEffect(() => {
    if (blob === null) return;
    const made = URL.createObjectURL(new Blob([blob], { type: pictureType(path) }));
    setAddress(made);
    setBroken(false);
    return () => URL.revokeObjectURL(made);
  }, [blob, path]);
  if (!small) {
    return (
      <p class="faint">
        Pictures of more than {sizeText(MOST_PICTURE)} are not shown. Download it to look at it.
      </p>
    );
  }
  if (found.error !== null) return <Failed error={found.error} retry={found.retry} />;
  if (broken) return <p class="bad">The file is no picture that can be shown.</p>;
  return address === "" ? <Loading what="the picture" /> : <img class="picture" src={address} alt={path} onError={() => setBroken(true)} />;
}

type Read = { ok: true; data: string } | { ok: false; error: Problem };

/** The first bytes of a file as text; the rest is not fetched. */
async function beginning(path: string, signal: AbortSignal): Promise<Read> {
  const stop = new AbortController();
  signal.addEventListener("abort", () => stop.abort(), { once: true });
  try {
    const response = await opened(path, stop.signal);
    if (!response.ok || response.body === null) return { ok: false, error: problemOf(response.status, `The server answered ${response.status}.`) };
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    let text = "";
    for (let held = 0; held < MOST_TEXT; ) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value.subarray(0, MOST_TEXT - held), { stream: true });
      held += value.length;
    }
    stop.abort();
    return { ok: true, data: text };
  } catch (error) {
    if (signal.aborted) throw error;
    return { ok: false, error: problemOf(0, "The server does not answer.") };
  }
}

function problemOf(status: number, message: string): Problem {
  return { status, code: "unreadable", message, field: null, position: null, requestId: null };
}
