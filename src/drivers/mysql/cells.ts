import type { SqlRow } from "../../contracts/transaction.js";
import { ConfigError } from "../../job/errors.js";

/**
 * Columns of a row as what they are. Clients and their settings differ: an integer may come as a number, a `bigint` or
 * digits. The database is a trust boundary, so a column of another type is an error.
 */

export function integer(row: SqlRow, column: string): number {
  const cell = row[column];
  if (typeof cell === "number") return cell;
  if (typeof cell === "bigint") return Number(cell);
  if (typeof cell === "string" && /^-?\d+$/.test(cell)) return Number(cell);
  throw unexpected(column, cell);
}

export function optionalInteger(row: SqlRow, column: string): number | undefined {
  return row[column] === null ? undefined : integer(row, column);
}

export function bytes(row: SqlRow, column: string): Uint8Array {
  return buffer(row, column);
}

export function optionalBytes(row: SqlRow, column: string): Uint8Array | undefined {
  return row[column] === null ? undefined : bytes(row, column);
}

/** A name, which is in the tables as its bytes, so that no collation takes two for one. */
export function name(row: SqlRow, column: string): string {
  return buffer(row, column).toString();
}

export function optionalName(row: SqlRow, column: string): string | undefined {
  return row[column] === null ? undefined : name(row, column);
}

/** The id in the column `id`. */
export function id(row: SqlRow): string {
  return decodeId(buffer(row, "id"));
}

/** What the columns for names take: 255 characters of up to four bytes. */
const LONGEST_NAME = 1020;

/** @throws {ConfigError} where it is longer than the tables take. */
export function encodeName(text: string): Buffer {
  const encoded = Buffer.from(text);
  if (encoded.length <= LONGEST_NAME) return encoded;
  throw new ConfigError(
    `a name has ${encoded.length} bytes and MySQL's keys take ${LONGEST_NAME}: shorten "${text.slice(0, 40)}..."`,
  );
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID_BYTES = 16;
/** Never a byte of UTF-8, so no text is taken for a UUID, nor one text for another. */
const TEXT_MARK = 0xff;

/** An id as it is stored: a UUID, which nearly all are, as its 16 bytes; any other text behind a mark. */
export function encodeId(id: string): Buffer {
  return id.length === 36 && UUID.test(id) ? encodeUuid(id) : encodeText(id);
}

function encodeUuid(id: string): Buffer {
  const hex = id.slice(0, 8) + id.slice(9, 13) + id.slice(14, 18) + id.slice(19, 23) + id.slice(24);
  return Buffer.from(hex, "hex");
}

function encodeText(id: string): Buffer {
  const text = encodeName(id);
  // A text of 15 bytes gets two marks, or it would be as long as a UUID.
  const marks = text.length === UUID_BYTES - 1 ? 2 : 1;
  return Buffer.concat([Buffer.alloc(marks, TEXT_MARK), text]);
}

function decodeId(raw: Buffer): string {
  if (raw.length !== UUID_BYTES) return raw.toString("utf8", raw[1] === TEXT_MARK ? 2 : 1);
  const hex = raw.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function buffer(row: SqlRow, column: string): Buffer {
  const cell = row[column];
  if (Buffer.isBuffer(cell)) return cell;
  if (cell instanceof Uint8Array) return Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength);
  throw unexpected(column, cell);
}

function unexpected(column: string, cell: unknown): TypeError {
  return new TypeError(`the database holds an unexpected ${cell === null ? "null" : typeof cell} in column ${column}`);
}
