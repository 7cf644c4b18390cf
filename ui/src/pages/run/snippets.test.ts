import { expect, test } from "vitest";
import { CLIENTS, snippetOf, type Told } from "./snippets";

const TOLD: Told = { address: "http://h:1/team", workspace: "", secured: false, run: "run-1", key: 7, experiment: "digits", metric: "loss", task: "worker-0" };

test.each(CLIENTS)("%s is told the server's address", (client) => {
  expect(snippetOf(client, TOLD).code).toContain("http://h:1/team");
});

test.each(CLIENTS)("%s is given a secret where one is wanted, and no real one", (client) => {
  const secured = snippetOf(client, { ...TOLD, secured: true }).code;
  expect(client === "oracle" || secured.includes("sw_...")).toBe(true);
});

test("names are quoted as the language wants", () => {
  const nasty = { ...TOLD, run: `a"b'c`, metric: "a b" };
  expect(snippetOf("mlflow", nasty).code).toContain(String.raw`get_run("a\"b'c")`);
  expect(snippetOf("curl", nasty).code).toContain(String.raw`/runs/a%22b'\''c'`);
});

test("the workspace goes where each client says it", () => {
  const there = { ...TOLD, workspace: "vision" };
  expect(snippetOf("mlflow", there).code).toContain('MLFLOW_WORKSPACE"] = "vision"');
  expect(snippetOf("curl", there).code).toContain("-H 'X-Stepwell-Workspace: vision'");
  expect(snippetOf("sap", there).code).toContain('resource_group="vision"');
});

test("an id that SAP does not allow is said so", () => {
  expect(snippetOf("sap", { ...TOLD, run: "é" }).words).toContain("cannot");
});
