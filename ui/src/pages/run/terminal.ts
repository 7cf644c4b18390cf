// A line as a terminal leaves it: without colours, and only what a progress bar wrote last. Pure.

/** Control sequences (colours, the cursor's moves), commands to the terminal (titles, links), and other escapes. */
const ESCAPES = new RegExp(String.raw`\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])`, "g");

export function terminalText(line: string): string {
  const plain = line.replace(ESCAPES, "").replace(/\r+$/, "");
  return plain.slice(plain.lastIndexOf("\r") + 1);
}
