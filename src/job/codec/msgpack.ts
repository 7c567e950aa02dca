import { Packr, RESET_BUFFER_MODE, REUSE_BUFFER_MODE, Unpackr } from "msgpackr";
import { scan } from "./scan.js";

/** Plain MessagePack that any language reads: no records, maps as small as they can be, and no `toJSON` of msgpackr's own. */
const packr = new Packr({ useRecords: false, variableMapSize: true, useToJSON: false });
/** Integers of 64 bits, which only other languages write, are numbers where they are safe and otherwise bigints. */
const INT64 = "auto" as "bigint"; // Documented by msgpackr, and missing from its types.
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, copyBuffers: true, int64AsType: INT64 });

/** Where msgpackr says that its result is in its own buffer. */
interface OwnBuffer extends Buffer {
  readonly start: number;
  readonly end: number;
}

/** Below this many bytes a loop copies faster than `Buffer.copy`: 90 ns against 150 ns for encoding `[2, 3]`. */
const LOOP_COPY = 64;
/** After a bigger body msgpackr's buffer, which it would keep for the life of the process, is replaced. */
const MAX_KEPT = 1 << 20;
const FRESH_BUFFER = 8192;

/** Packs a flat value into bytes of its own; msgpackr writes the next value over the first. */
export function pack(flat: unknown): Uint8Array {
  const packed = packr.pack(flat, REUSE_BUFFER_MODE | RESET_BUFFER_MODE) as OwnBuffer;
  const { start, end } = packed;
  const bytes = Buffer.allocUnsafe(end - start);
  if (bytes.length > LOOP_COPY) packed.copy(bytes, 0, start, end);
  else for (let from = start, to = 0; from < end; from++, to++) bytes[to] = packed[from] as number;
  if (packed.length > MAX_KEPT) packr.useBuffer(Buffer.allocUnsafeSlow(FRESH_BUFFER));
  return bytes;
}

/**
 * msgpackr makes a `DataView` for each source and leaves it on the source as a property. Copying small bodies here instead
 * saves 160 ns of each and leaves the caller's bytes as they are.
 */
const scratch = new Uint8Array(4096);

/** @returns The flat value, and whether any of it may be tagged. */
export function unpack(bytes: Uint8Array): { flat: unknown; tagged: boolean } {
  const tagged = scan(bytes);
  if (bytes.length > scratch.length) {
    return { flat: unpackr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)), tagged };
  }
  scratch.set(bytes);
  return { flat: unpackr.unpack(scratch, bytes.length), tagged };
}
