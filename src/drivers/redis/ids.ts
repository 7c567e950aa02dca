import { isUuid } from "../../job/id.js";

/** Never a byte of UTF-8, so no text is taken for a UUID, nor one text for another. */
const TEXT_MARK = 0xff;
const UUID_BYTES = 16;

/** An id as Redis keeps it: 16 bytes for a UUID, which nearly all are, instead of 36; any other text behind a mark. */
export function encodeId(id: string): Buffer {
  if (isUuid(id) && id === id.toLowerCase()) return encodeUuid(id);
  const text = Buffer.from(id);
  // A text of 15 bytes gets two marks, or it would be as long as a UUID.
  const marks = text.length === UUID_BYTES - 1 ? 2 : 1;
  return Buffer.concat([Buffer.alloc(marks, TEXT_MARK), text]);
}

/** The id of what Redis keeps. */
export function decodeId(bytes: Buffer): string {
  if (bytes.length !== UUID_BYTES) return bytes.toString("utf8", bytes[1] === TEXT_MARK ? 2 : 1);
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function encodeUuid(id: string): Buffer {
  const bytes = Buffer.allocUnsafe(UUID_BYTES);
  bytes.write(id.slice(0, 8) + id.slice(9, 13) + id.slice(14, 18) + id.slice(19, 23) + id.slice(24), "hex");
  return bytes;
}
