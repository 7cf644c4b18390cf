import { expect, test } from "vitest";
import { csv } from "./points-csv";
import type { PageQuestion } from "./raw";

test("steps of 64 bits, labels and what is not finite are written as they are stored, page after page", async () => {
  const asked: PageQuestion[] = [];
  const pages = [
    { steps: [2n ** 53n + 1n, 2n ** 63n - 1n], timesUs: [0n, -(2n ** 63n)], values: [0.1, NaN], cursor: "more" },
    { steps: [-(2n ** 53n) - 1n], timesUs: [1n], values: [-Infinity], cursor: null },
  ];
  const read = (question: PageQuestion) => {
    asked.push(question);
    const { steps, timesUs, values, cursor } = pages[asked.length - 1] ?? { steps: [], timesUs: [], values: [], cursor: null };
    return Promise.resolve({ ok: true as const, data: { steps: BigInt64Array.from(steps), timesUs: BigInt64Array.from(timesUs), values: Float64Array.from(values), cursor } });
  };
  const run = { id: "r", name: "a, b", labels: { fold: "é" } };
  const made = await csv("loss", [{ run, window: { min_step: null, max_step: 7 } }], new AbortController().signal, read);
  const rows = made instanceof Blob ? (await made.text()).split("\r\n") : [];
  expect(rows).toEqual([
    "run_id,run_name,metric,labels,step,time_us,time,value",
    'r,"a, b",loss,"{""fold"":""é""}",9007199254740993,0,1970-01-01T00:00:00.000Z,0.1',
    'r,"a, b",loss,"{""fold"":""é""}",9223372036854775807,-9223372036854775808,,NaN',
    'r,"a, b",loss,"{""fold"":""é""}",-9007199254740993,1,1970-01-01T00:00:00.000Z,-Infinity',
    "",
  ]);
  expect(asked.map(({ query }) => query)).toEqual([
    { metric: "loss", limit: 100_000, cursor: "", label: ["fold=é"], max_step: 7 },
    { metric: "loss", limit: 100_000, cursor: "more", label: ["fold=é"], max_step: 7 },
  ]);
});
