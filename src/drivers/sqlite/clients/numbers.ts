import type { Parameter } from "./client.js";

/** A statement whose parameters have no numbers, and the order in which to give them. */
export interface Unnumbered {
  readonly text: string;
  readonly bind: (parameters: readonly Parameter[]) => readonly Parameter[];
}

/**
 * Takes the numbers off parameters such as `?2`: better-sqlite3, and `node:sqlite` before Node 22.16, take them for names,
 * which values by position cannot be given for. Where they counted from one up, the values are passed as they are.
 */
export function withoutNumbers(sql: string): Unnumbered {
  const order: number[] = [];
  const text = sql.replace(/\?(\d+)/g, (_, number: string) => {
    order.push(Number(number) - 1);
    return "?";
  });
  if (order.every((number, index) => number === index)) return { text, bind: (parameters) => parameters };
  return { text, bind: (parameters) => order.map((index) => parameters[index] ?? null) };
}
