/** Whether a value from outside is an object with names, none of whose values is trusted yet. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
