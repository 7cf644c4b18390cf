// The curves of the rows in view: asked for together, kept, asked again when a run has more points.

import { useEffect, useRef, useState } from "preact/hooks";
import { post } from "../../api/client";
import { counted } from "../../charts/format";
import { useSettled } from "../../parts/picker";
import type { RunRow } from "../../state/rows";
import { SPARK_BUDGET, SPARK_COLUMNS, sparkOf, type Spark } from "./sparkline";

const WIDTH = 124;
const HEIGHT = 24;
/** As many as one request may ask for. */
const SERIES = 1000;
const KEPT = 5_000;

type Sparks = (runId: string, metric: string) => Spark | null;

/** The curves of these runs and metrics, as they come. */
export function useSparklines(rows: readonly RunRow[], metrics: readonly string[]): Sparks {
  const kept = useRef(new Map<string, { points: number; spark: Spark }>());
  const [, setRound] = useState(0);
  const wanted = metrics.flatMap((metric) =>
    rows.flatMap((row) => {
      const points = Object.hasOwn(row.metrics, metric) ? (row.metrics[metric]?.count ?? 0) : 0;
      return points > 0 ? [{ run_id: row.id, metric, points }] : [];
    }),
  );
  const missing = wanted.filter(({ run_id, metric, points }) => kept.current.get(`${run_id}\0${metric}`)?.points !== points);
  const key = useSettled(JSON.stringify(missing.slice(0, SERIES)), 60);
  useEffect(() => {
    const asked = JSON.parse(key) as typeof missing;
    if (asked.length === 0) return;
    const stop = new AbortController();
    const series = asked.map(({ run_id, metric }) => ({ run_id, metric }));
    const body = { series, budget: SPARK_BUDGET, columns: [...SPARK_COLUMNS] };
    post("/api/v1/buckets", { body, signal: stop.signal })
      .then((result) => {
        if (!result.ok) return; // the number beside it is there; a curve that is missing is no lie
        result.data.series.forEach(({ run_id, metric, buckets }, nth) => {
          const points = asked[nth]?.points ?? 0;
          kept.current.set(`${run_id}\0${metric}`, { points, spark: sparkOf(buckets, WIDTH, HEIGHT) });
        });
        for (const old of [...kept.current.keys()].slice(0, Math.max(0, kept.current.size - KEPT))) kept.current.delete(old);
        setRound((round) => round + 1);
      })
      .catch((error: unknown) => {
        if (!stop.signal.aborted) throw error;
      });
    return () => stop.abort();
  }, [key]);
  return (runId, metric) => kept.current.get(`${runId}\0${metric}`)?.spark ?? null;
}

export function Sparkline({ spark, colour, text }: { spark: Spark | null; colour: string; text: string }) {
  if (spark === null) return <span class="faint">{text}</span>;
  const odd = spark.odd > 0 ? `, ${counted(spark.odd, "point")} not finite` : "";
  return (
    <span class="spark" title={`Last ${text}${odd}`}>
      <svg width={WIDTH} height={HEIGHT} role="img" aria-label={`Curve, last value ${text}${odd}`}>
        <path d={spark.band} fill={colour} opacity="0.25" />
        {spark.marks !== "" && <path d={spark.marks} class="odd" />}
        <path d={spark.line} fill="none" stroke={colour} stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" />
      </svg>
    </span>
  );
}
