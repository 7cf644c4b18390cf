// Numbers, durations and times as people read them. Pure text.

const SUFFIXES: readonly (readonly [number, string])[] = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];

/** A value: six digits that matter, or as many as asked for. */
export function value(given: number, digits = 6): string {
  if (Number.isNaN(given)) return "NaN";
  if (!Number.isFinite(given)) return given > 0 ? "+Inf" : "-Inf";
  if (given === 0) return "0";
  const size = Math.abs(given);
  if (size >= 1e6 || size < 1e-4) return given.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e");
  return String(Number(given.toPrecision(digits)));
}

/** An integer in full, in groups of three. */
export function whole(given: number): string {
  return Number.isFinite(given) ? BigInt(Math.round(given)).toString().replace(/\B(?=(\d{3})+$)/g, ",") : value(given);
}

/** A tick of an axis whose ticks are `gap` apart: no more digits than tell neighbours apart. */
export function tick(given: number, gap: number): string {
  const size = Math.max(Math.abs(given), gap);
  if (given === 0) return "0";
  if (size >= 1e15 || size < 1e-4) {
    const digits = Math.max(0, Math.min(15, Math.floor(Math.log10(Math.abs(given))) - Math.floor(Math.log10(gap))));
    return given.toExponential(digits).replace("e+", "e");
  }
  for (const [unit, suffix] of SUFFIXES) {
    if (size >= unit * 10 || (size >= unit && gap >= unit / 100)) {
      return `${(given / unit).toFixed(decimals(gap / unit))}${suffix}`;
    }
  }
  return given.toFixed(decimals(gap));
}

/** How many decimals tell numbers apart that are `gap` apart. */
export function decimals(gap: number): number {
  if (gap <= 0) return 6;
  let places = Math.max(0, -Math.floor(Math.log10(gap) + 1e-9));
  if (places < 15 && Math.abs(gap * 10 ** places - Math.round(gap * 10 ** places)) > 1e-6) places++;
  return Math.min(20, places);
}

/** Seconds: 2 d 3 h, 4 min 5 s, 1.25 s. */
export function duration(seconds: number): string {
  const sign = seconds < 0 ? "-" : "";
  const size = Math.abs(seconds);
  if (size < 60) return `${sign}${Number(size.toPrecision(4))} s`;
  const units: [number, string][] = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const first = units.findIndex(([unit]) => size >= unit);
  const [big, small] = [units[first], units[first + 1]];
  if (big === undefined || small === undefined) return `${sign}${size} s`;
  const rest = Math.floor((size % big[0]) / small[0]);
  return `${sign}${whole(Math.floor(size / big[0]))} ${big[1]}${rest > 0 ? ` ${rest} ${small[1]}` : ""}`;
}

/** Seconds since 1970 as local time: 2026-11-21 05:49:39.250. */
export function moment(seconds: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return value(seconds);
  const two = (part: number) => String(part).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const parts = date.getMilliseconds();
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${clock}${parts === 0 ? "" : `.${String(parts).padStart(3, "0")}`}`;
}

/** "1 point", "1,000 points". */
export function counted(count: number, word: string): string {
  return `${whole(count)} ${word}${count === 1 ? "" : "s"}`;
}
