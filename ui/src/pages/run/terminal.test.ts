import { expect, test } from "vitest";
import { terminalText } from "./terminal";

test.each([
  ["epoch 1 of 3", "epoch 1 of 3"],
  ["\u001b[1;31merror\u001b[0m: out of memory", "error: out of memory"],
  ["\r  0%|          | 0/3\r 33%|###       | 1/3\r100%|##########| 3/3", "100%|##########| 3/3"],
  ["written on Windows\r", "written on Windows"],
  ["\u001b]0;title\u0007\u001b]8;;https://a.b\u001b\\link\u001b]8;;\u001b\\\u001b[K", "link"],
  ["a[0] = b[1m] \t c", "a[0] = b[1m] \t c"],
])("%j is %j", (line, said) => expect(terminalText(line)).toBe(said));
