import { stripVTControlCharacters } from "node:util";

/** A column: its heading, and which way its cells are set. */
export interface Column {
  readonly heading: string;
  readonly align?: "left" | "right";
}

/**
 * Lays rows out in columns two blanks apart, headings first. Colours in cells do not count for their width, and control
 * characters that came with the data are dropped, so that a job's name cannot rewrite the screen.
 */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const all = [columns.map((column) => column.heading), ...rows];
  const widths = columns.map((_, index) => Math.max(...all.map((row) => width(row[index] ?? ""))));
  return all.map((row) => line(row, columns, widths)).join("\n");
}

/** `name  value` lines, for one thing with many properties. */
export function properties(entries: readonly (readonly [name: string, value: string])[]): string {
  const widest = Math.max(...entries.map(([name]) => name.length));
  return entries
    .map(([name, value]) => `${name.padEnd(widest)}  ${value.replace(/\n/g, `\n${" ".repeat(widest + 2)}`)}`)
    .join("\n");
}

function line(row: readonly string[], columns: readonly Column[], widths: readonly number[]): string {
  const cells = columns.map((column, index) => {
    const cell = row[index] ?? "";
    const gap = " ".repeat((widths[index] ?? 0) - width(cell));
    return column.align === "right" ? gap + cell : cell + gap;
  });
  return cells.join("  ").trimEnd();
}

function width(cell: string): number {
  return [...stripVTControlCharacters(cell)].length;
}

/** Text from a job made safe for a terminal. */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the purpose.
  return stripVTControlCharacters(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
}
