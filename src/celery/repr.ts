/** As long as Celery's own `argsrepr_maxsize`, in characters. */
const LONGEST = 1024;

/** Arguments as Python's `repr` shows a tuple: for Flower and logs only, nobody reads values from it. */
export function reprArgs(args: readonly unknown[]): string {
  const parts = args.map((one) => repr(one));
  return shorten(parts.length === 1 ? `(${parts[0]},)` : `(${parts.join(", ")})`);
}

/** Keyword arguments as Python's `repr` shows a dict. */
export function reprKwargs(kwargs: Readonly<Record<string, unknown>>): string {
  return shorten(repr(kwargs));
}

function repr(value: unknown, depth = 0): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return quote(value.slice(0, LONGEST));
  if (depth > 3) return "...";
  if (value instanceof Date) return quote(Number.isNaN(value.getTime()) ? "" : value.toISOString());
  if (Array.isArray(value))
    return `[${value
      .slice(0, 100)
      .map((one) => repr(one, depth + 1))
      .join(", ")}]`;
  if (typeof value !== "object") return String(value);
  const entries = Object.entries(value).slice(0, 100);
  return `{${entries.map(([key, one]) => `${quote(key)}: ${repr(one, depth + 1)}`).join(", ")}}`;
}

function quote(text: string): string {
  const inner = JSON.stringify(text).slice(1, -1).replace(/\\"/g, '"');
  return inner.includes("'") && !inner.includes('"') ? `"${inner}"` : `'${inner.replace(/'/g, "\\'")}'`;
}

function shorten(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 3)}...`;
}
