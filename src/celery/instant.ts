import { type Fields, malformed } from "./fields.js";

/** As Python's `datetime.isoformat()` writes it; without an offset it is UTC, Celery's default. */
const ISO = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})?$/;

/** Epoch ms of a field, which Celery writes as ISO 8601 text. Absent: no such moment. */
export function optionalInstant(fields: Fields, name: string): number | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === undefined || value === null || value === "") return undefined;
  const time = typeof value === "string" ? parseInstant(value) : undefined;
  if (time === undefined) throw malformed(`has an ${name} that is no time in ISO 8601`);
  return time;
}

function parseInstant(text: string): number | undefined {
  const [, date, time, fraction = "", zone = "Z"] = ISO.exec(text) ?? [];
  if (date === undefined) return undefined;
  // To whole ms: JavaScript has no finer ones.
  const at = Date.parse(`${date}T${time}${fraction.slice(0, 4)}${zone}`);
  return Number.isNaN(at) ? undefined : at;
}

/** A moment as Celery writes it: with an offset, since a naive one is in the receiver's time zone. */
export function formatInstant(time: number): string {
  return new Date(time).toISOString().replace("Z", "+00:00");
}

/** The same without an offset, as in `date_done`. */
export function formatNaive(time: number): string {
  return new Date(time).toISOString().slice(0, -1);
}
