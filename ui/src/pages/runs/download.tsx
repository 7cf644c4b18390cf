// The whole search as CSV, page by page, with its progress and a way to stop.

import { useRef, useState } from "preact/hooks";
import { counted } from "../../charts/format";
import { notify } from "../../parts/notices";
import type { Question } from "../../state/search";
import { everyPage } from "./asking";
import { type Column, neededBy } from "./columns";
import { headOf, linesOf } from "./csv";

export function Download({ question, columns }: { question: Question; columns: readonly Column[] }) {
  const [count, setCount] = useState<number | null>(null);
  const stop = useRef<AbortController | null>(null);
  const start = async () => {
    const control = new AbortController();
    stop.current = control;
    setCount(0);
    try {
      await download(question, columns, control.signal, setCount);
    } catch (error) {
      if (!control.signal.aborted) throw error;
    } finally {
      setCount(null);
    }
  };
  if (count !== null) {
    return (
      <button type="button" onClick={() => stop.current?.abort()}>
        {counted(count, "run")}… Stop
      </button>
    );
  }
  return (
    <button type="button" title="All runs of this search, with these columns" onClick={() => void start()}>
      CSV
    </button>
  );
}

async function download(question: Question, columns: readonly Column[], signal: AbortSignal, told: (count: number) => void): Promise<void> {
  const parts: BlobPart[] = [headOf(columns)];
  let count = 0;
  const take = (rows: Parameters<typeof linesOf>[0]) => {
    parts.push(linesOf(rows, columns));
    count += rows.length;
    told(count);
  };
  const needed = neededBy(columns.filter(({ kind }) => kind !== "spark"));
  const result = await everyPage(question, needed, take, signal);
  if (!result.ok) return notify({ text: `No CSV: ${result.error.message}`, bad: true });
  const url = URL.createObjectURL(new Blob(parts, { type: "text/csv;charset=utf-8" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = "runs.csv";
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
