// The files of a run: a tree whose folders are asked for when they are opened, and a look into one file.

import { useState } from "preact/hooks";
import { file, get } from "../../api/client";
import { useFetching } from "../../api/fetching";
import { notify } from "../../parts/notices";
import { Empty, Failed, Loading } from "../../parts/states";
import { PARAMS, useParam } from "../../state/params";
import type { PartProps } from "./page";
import { fileAddress, Preview } from "./preview";
import { sizeText } from "./preview-text";

export function Files({ detail }: PartProps) {
  const [chosen, setChosen] = useParam(PARAMS.file);
  const run = detail.run.id;
  return (
    <div class="files">
      <nav aria-label="Files" class="tree">
        <Folder run={run} path="" chosen={chosen} choose={setChosen} />
      </nav>
      {chosen === "" ? <Empty>Choose a file to look into it.</Empty> : <Chosen key={chosen} run={run} path={chosen} />}
    </div>
  );
}

interface FolderProps {
  run: string;
  path: string;
  chosen: string;
  choose: (path: string) => void;
}

function Folder({ run, path, chosen, choose }: FolderProps) {
  const found = useFetching(`${run} ${path}`, (signal) => get("/api/v1/runs/{run_id}/artifacts", { path: { run_id: run }, query: { path }, signal }));
  if (found.error !== null) return <Failed error={found.error} retry={found.retry} />;
  if (found.data === null) return <Loading what="files" />;
  const { path: paths, size } = found.data;
  if (paths.length === 0) return <p class="faint">{path === "" ? "This run has no files." : "Empty."}</p>;
  return (
    <ul>
      {paths.map((each, at) => {
        const bytes = size[at] ?? null;
        const name = each.slice(each.lastIndexOf("/") + 1);
        if (bytes === null) return <Branch key={each} run={run} path={each} name={name} chosen={chosen} choose={choose} />;
        return (
          <li key={each}>
            <button type="button" aria-current={each === chosen ? "true" : undefined} onClick={() => choose(each)}>
              {name} <span class="faint">{sizeText(bytes)}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

function Branch({ name, ...rest }: FolderProps & { name: string }) {
  const [open, setOpen] = useState(rest.chosen.startsWith(`${rest.path}/`));
  return (
    <li>
      <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span aria-hidden="true">{open ? "▾" : "▸"}</span> {name}/
      </button>
      {open && <Folder {...rest} />}
    </li>
  );
}

function Chosen({ run, path }: { run: string; path: string }) {
  const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
  const found = useFetching(`${run} ${folder}`, (signal) => get("/api/v1/runs/{run_id}/artifacts", { path: { run_id: run }, query: { path: folder }, signal }));
  if (found.error !== null) return <Failed error={found.error} retry={found.retry} />;
  if (found.data === null) return <Loading what="the file" />;
  const at = found.data.path.indexOf(path);
  const size = found.data.size[at] ?? null;
  if (size === null) return <Empty>There is no such file any more.</Empty>;
  return (
    <section class="chosen" aria-label={path}>
      <header class="line">
        <h2>{path}</h2>
        <span class="faint">{sizeText(size)}</span>
        <button type="button" onClick={() => void download(run, path)}>
          Download
        </button>
      </header>
      <p class="faint sha">SHA-256 {found.data.sha256[at]}</p>
      <Preview run={run} path={path} size={size} />
    </section>
  );
}

/** Fetched with the credential, and saved under its own name: it is never opened here. */
async function download(run: string, path: string): Promise<void> {
  const found = await file(fileAddress(run, path));
  if (!found.ok) return notify({ text: found.error.message, bad: true });
  const address = URL.createObjectURL(new Blob([found.data], { type: "application/octet-stream" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = path.slice(path.lastIndexOf("/") + 1);
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
