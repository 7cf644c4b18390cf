import { expect, test } from "vitest";
import { bytes, samplesOf, total } from "./exposition";
import { stateOf } from "./lifetimes";

const TEXT = `# HELP a what it is
a_total{dialect="native",outcome="200"} 3
a_total{dialect="native",outcome="400"} 2
a_total{dialect="mlflow",outcome="200"} 1
odd{text="a \\"quoted\\", b"} +Inf
plain 22097920
`;

test("samples are read with their labels, and summed", () => {
  const samples = samplesOf(TEXT);
  expect(samples).toHaveLength(5);
  expect(samples[3]).toEqual({ name: "odd", labels: { text: 'a "quoted", b' }, value: Infinity });
  expect([total(samples, "a_total"), total(samples, "a_total", { dialect: "native" }), total(samples, "none")]).toEqual([6, 5, null]);
});

test("bytes are told in the unit that fits", () => {
  expect([bytes(0), bytes(1023), bytes(1536), bytes(22_097_920)]).toEqual(["0 bytes", "1023 bytes", "1.5 KiB", "21.1 MiB"]);
});

test("a credential holds until it ends or is revoked", () => {
  expect(stateOf({ expires_at_us: null, revoked_at_us: null }, 5)).toBe("valid");
  expect(stateOf({ expires_at_us: 5, revoked_at_us: null }, 5)).toBe("expired");
  expect(stateOf({ expires_at_us: 6, revoked_at_us: null }, 5)).toBe("valid");
  expect(stateOf({ expires_at_us: 5, revoked_at_us: 4 }, 9)).toBe("revoked");
});
