// A card as a picture or a drawing. Its numbers are written elsewhere (points-csv.ts).

import { band, dots, mark, marksIn, trace, type Frame, type Pen } from "./paths";
import { placeOf } from "./scale";
import type { Ticks } from "./ticks";
import { NEG_INF, NOT_POSITIVE, type Line } from "./lines";

export interface Sheet {
  title: string;
  width: number;
  height: number;
  frame: Frame;
  lines: readonly Line[];
  bands: boolean;
  ticks: { x: Ticks; y: Ticks };
  xTitle: string;
  text: string;
  grid: string;
  ground: string;
}

const HEAD = 26;
const ROW = 18;

export function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name.replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The chart as it stands on the screen, with title and legend. `ratio`: canvas pixels for a CSS pixel. */
export function png(sheet: Sheet, chart: HTMLCanvasElement, ratio: number): Promise<Blob | null> {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(chart.width, widthOf(sheet) * ratio);
  canvas.height = chart.height + (HEAD + ROW * sheet.lines.length + 8) * ratio;
  const context = canvas.getContext("2d");
  if (context === null) return Promise.resolve(null);
  context.fillStyle = sheet.ground;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(chart, 0, HEAD * ratio);
  context.scale(ratio, ratio);
  context.fillStyle = sheet.text;
  context.font = "600 14px system-ui, sans-serif";
  context.fillText(sheet.title, 10, 18);
  context.font = "12px system-ui, sans-serif";
  sheet.lines.forEach((line, row) => {
    const y = chart.height / ratio + HEAD + ROW * row + 12;
    context.strokeStyle = line.ink;
    context.lineWidth = 3;
    context.setLineDash([...line.dash]);
    context.beginPath();
    context.moveTo(10, y - 4);
    context.lineTo(28, y - 4);
    context.stroke();
    context.fillText(line.name, 34, y);
  });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

/** Wide enough for the longest name, at seven pixels a letter, and not absurdly so. */
function widthOf({ width, lines, title }: Sheet): number {
  const longest = lines.reduce((most, line) => Math.max(most, line.name.length), title.length);
  return Math.min(4000, Math.max(width, 44 + 7 * longest));
}

class SvgPen implements Pen {
  private readonly parts: string[] = [];

  moveTo(x: number, y: number): void {
    this.parts.push(`M${round(x)} ${round(y)}`);
  }

  lineTo(x: number, y: number): void {
    this.parts.push(`L${round(x)} ${round(y)}`);
  }

  closePath(): void {
    this.parts.push("Z");
  }

  get path(): string {
    return this.parts.join("");
  }
}

function round(given: number): number {
  return Math.round(given * 100) / 100;
}

/** As text of XML: what no document may hold, not even escaped, is the sign for what cannot be read. */
function escaped(text: string): string {
  return text.replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, "\uFFFD").replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

function pathOf(draw: (pen: Pen) => void): string {
  const pen = new SvgPen();
  draw(pen);
  return pen.path;
}

/** The same geometry as on the canvas, in CSS pixels. */
export function svg(sheet: Sheet): string {
  const { height, frame, lines, title } = sheet;
  const width = widthOf(sheet);
  const whole = HEAD + height + ROW * lines.length + 8;
  const { box } = frame;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${whole}" font-family="system-ui, sans-serif" font-size="11">`,
    `<rect width="${width}" height="${whole}" fill="${sheet.ground}"/>`,
    `<text x="10" y="18" font-size="14" font-weight="600" fill="${sheet.text}">${escaped(title)}</text>`,
    `<g transform="translate(0 ${HEAD})">`,
    ...axes(sheet),
    `<clipPath id="box"><rect x="${box.left}" y="${box.top}" width="${box.width}" height="${box.height}"/></clipPath>`,
    `<g clip-path="url(#box)" stroke-linejoin="round">`,
    ...lines.flatMap((line) => curves(line, frame, sheet.bands)),
    "</g></g>",
    ...lines.map((line, row) => {
      const y = HEAD + height + ROW * row + 12;
      const dash = line.dash.length === 0 ? "" : ` stroke-dasharray="${line.dash.join(" ")}"`;
      const swatch = `<line x1="10" x2="28" y1="${y - 4}" y2="${y - 4}" stroke="${line.ink}" stroke-width="3"${dash}/>`;
      return `${swatch}<text x="34" y="${y}" font-size="12" fill="${sheet.text}">${escaped(line.name)}</text>`;
    }),
    "</svg>",
  ];
  return parts.join("\n");
}

function axes({ frame, ticks, text, grid, xTitle }: Sheet): string[] {
  const { box } = frame;
  const [right, bottom] = [box.left + box.width, box.top + box.height];
  const across = ticks.y.at.map((each, row) => {
    const y = round(bottom - placeOf(each, frame.y) * box.height);
    const label = `<text x="${box.left - 8}" y="${y + 4}" text-anchor="end" fill="${text}">${escaped(ticks.y.text[row] ?? "")}</text>`;
    return `<path d="M${box.left} ${y}H${right}" stroke="${grid}"/>${label}`;
  });
  const along = ticks.x.at.map((each, row) => {
    const x = round(box.left + placeOf(each, frame.x) * box.width);
    const said = (ticks.x.text[row] ?? "").replace("\n", " ");
    return `<path d="M${x} ${box.top}V${bottom}" stroke="${grid}"/><text x="${x}" y="${bottom + 16}" text-anchor="middle" fill="${text}">${escaped(said)}</text>`;
  });
  const title = `<text x="${box.left + box.width / 2}" y="${bottom + 36}" text-anchor="middle" fill="${text}">${escaped(xTitle)}</text>`;
  return [...across, ...along, title];
}

function curves(line: Line, frame: Frame, bands: boolean): string[] {
  const parts: string[] = [];
  if (bands && line.low !== null) {
    const shape = pathOf((pen) => band(pen, line, frame));
    parts.push(`<path d="${shape}" fill="${line.ink}" fill-opacity=".18" stroke="${line.ink}" stroke-opacity=".42" stroke-width=".75"/>`);
  }
  const { raw } = line;
  if (raw !== null) {
    parts.push(`<path d="${pathOf((pen) => trace(pen, line, raw, frame))}" fill="none" stroke="${line.ink}" stroke-opacity=".28"/>`);
  }
  const dash = line.dash.length === 0 ? "" : ` stroke-dasharray="${line.dash.join(" ")}"`;
  parts.push(`<path d="${pathOf((pen) => trace(pen, line, line.y, frame))}" fill="none" stroke="${line.ink}" stroke-width="1.5"${dash}/>`);
  for (const [x, y] of dots(line, frame, 14)) parts.push(`<circle cx="${round(x)}" cy="${round(y)}" r="2.5" fill="${line.ink}"/>`);
  for (const { kind, x, y } of marksIn(line, frame, 4)) {
    const shape = pathOf((pen) => mark(pen, kind, x, y, 4));
    const style = kind === NEG_INF || kind === NOT_POSITIVE ? `fill="none" stroke="${line.ink}" stroke-width="1.75"` : `fill="${line.ink}"`;
    parts.push(`<path d="${shape}" ${style}/>`);
  }
  return parts;
}
