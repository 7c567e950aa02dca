import { Packr } from "msgpackr";
import type { Envelope } from "../contracts/broker.js";

/** Headers of foreign protocols may hold bytes and dates, which JSON has not. Native jobs have none. */
const packr = new Packr({ useRecords: false });

export function encodeHeaders(headers: Envelope["headers"]): Uint8Array | undefined {
  return headers === undefined ? undefined : packr.pack(headers);
}

/** An envelope's `headers`, to spread into it: nothing where there are none. */
export function decodeHeaders(encoded: Uint8Array | undefined): Pick<Envelope, "headers"> {
  if (encoded === undefined) return {};
  const headers: unknown = packr.unpack(encoded);
  return typeof headers === "object" && headers !== null ? { headers: headers as Record<string, unknown> } : {};
}
