/**
 * Cells of an answer as what they are. What comes from the database is not ours alone to write, and a user's pool may have
 * parsers of its own, so a cell of another type is an error.
 */

/** `bigint` columns come as text. */
export function integer(cell: unknown): number {
  const number = typeof cell === "string" || typeof cell === "bigint" ? Number(cell) : cell;
  if (typeof number === "number" && Number.isSafeInteger(number)) return number;
  throw unexpected("number", cell);
}

export function optionalInteger(cell: unknown): number | undefined {
  return cell === null ? undefined : integer(cell);
}

export function text(cell: unknown): string {
  if (typeof cell === "string") return cell;
  throw unexpected("text", cell);
}

export function bytes(cell: unknown): Buffer {
  if (Buffer.isBuffer(cell)) return cell;
  if (cell instanceof Uint8Array) return Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength);
  if (typeof cell === "string" && cell.startsWith("\\x")) return Buffer.from(cell.slice(2), "hex");
  throw unexpected("bytes", cell);
}

export function optionalBytes(cell: unknown): Uint8Array | undefined {
  return cell === null ? undefined : bytes(cell);
}

/** The text of an array of numbers, such as `"{1,2,3}"`. */
export function integers(cell: unknown): number[] {
  const inner = text(cell).slice(1, -1);
  return inner === "" ? [] : inner.split(",").map(Number);
}

function unexpected(wanted: string, cell: unknown): TypeError {
  return new TypeError(`postgres gave ${cell === null ? "null" : typeof cell} where ${wanted} was expected`);
}
