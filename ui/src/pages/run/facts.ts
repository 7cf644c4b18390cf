// What there is to say of a run in words. Pure.

import type { components } from "../../api/schema";
import { duration, moment } from "../../charts/format";
import { signOf, type StatusSign } from "../runs/status";

type Detail = components["schemas"]["RunDetail"];

/** The tag that the note is kept as: shown above the tags, not among them. */
export const NOTE = "mlflow.note.content";

const ORIGINS: Readonly<Record<string, string>> = {
  mlflow: "MLflow's client",
  oracle: "Oracle's client",
  sap: "SAP's client",
  pluto: "Pluto's client",
  modelarts: "ModelArts' client",
  native: "the native API",
};

/** A running run with so many metrics is asked for every second; with more, less often: a thousand are 300 KiB. */
const EVERY_SECOND = 500;

/** Seconds between two questions about a running run, when runs are followed every `live` seconds; 0: none. */
export function paceOf(live: number, metrics: number): number {
  return live === 0 ? 0 : Math.max(live, metrics / EVERY_SECOND);
}

export interface Fact {
  name: string;
  text: string;
}

/** When the run last changed, or last measured something: microseconds. */
export function heardUs({ run, metrics }: Detail): number {
  return (metrics.greatest_time_us ?? []).reduce((latest, time) => Math.max(latest, time), run.updated_at_us);
}

export function statusOf(detail: Detail, nowUs: number): StatusSign {
  return signOf(detail.run.status, heardUs(detail), nowUs);
}

/** `experiment`: what the run's is called. */
export function factsOf(detail: Detail, experiment: string, nowUs: number): Fact[] {
  const { run } = detail;
  const end = run.end_time_us ?? (run.status === "RUNNING" ? nowUs : null);
  const took = run.start_time_us === null || end === null ? "" : duration(Math.round((end - run.start_time_us) / 1e4) / 100);
  const facts: [string, string][] = [
    ["Id", run.id],
    ["Experiment", experiment],
    ["Number", `${run.number} in its experiment`],
    ["Status", run.status_reason === "" ? run.status : `${run.status}: ${run.status_reason}`],
    ["Started", timeOf(run.start_time_us)],
    ["Ended", timeOf(run.end_time_us)],
    ["Duration", took],
    ["User", run.user],
    ["Made by", ORIGINS[run.origin] ?? run.origin],
    ["Last sign of life", agoOf(heardUs(detail), nowUs)],
    ["Artifact location", run.artifact_uri],
  ];
  return facts.filter(([, text]) => text !== "").map(([name, text]) => ({ name, text }));
}

function timeOf(us: number | null): string {
  return us === null ? "" : moment(us / 1e6);
}

export function agoOf(us: number, nowUs: number): string {
  const seconds = Math.max(0, Math.round((nowUs - us) / 1e6));
  return seconds < 1 ? "now" : `${duration(seconds)} ago`;
}

/** Names of a table that hold the text, whatever the case of its letters. */
export function matching(pairs: Readonly<Record<string, string>>, text: string): [string, string][] {
  const wanted = text.toLowerCase();
  return Object.entries(pairs)
    .filter(([name, value]) => name.toLowerCase().includes(wanted) || value.toLowerCase().includes(wanted))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
