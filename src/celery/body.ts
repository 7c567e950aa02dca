import { inflateSync } from "node:zlib";
import { Packr } from "msgpackr";
import { UnreadableError } from "../job/errors.js";
import { isFields } from "./fields.js";
import { type Form, plainValue } from "./values.js";

/** What a body is written in, as AMQP says it. */
export interface ContentType {
  readonly content_type: string;
  readonly content_encoding: string;
}

const CONTENT_TYPES: Readonly<Record<Form, ContentType>> = {
  json: { content_type: "application/json", content_encoding: "utf-8" },
  msgpack: { content_type: "application/x-msgpack", content_encoding: "binary" },
};

/** Reading these can run code that the message chooses. They are never read, whatever anybody sets. */
const UNSAFE: Readonly<Record<string, string>> = {
  "application/x-python-serialize": "pickle",
  "application/x-yaml": "yaml",
};

/** A message of 1 MiB can hold 1 GiB of zeros: what unpacks to more than a driver takes, or this, is refused. */
const MOST_INFLATED = 1024 * 1024;

const packr = new Packr({ useRecords: false, mapsAsObjects: true });
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Writes a body. Throws ConfigError for what Python could not read. */
export function encodeBody(value: unknown, form: Form, name: string): ContentType & { readonly bytes: Uint8Array } {
  const plain = plainValue(value, form, name);
  const bytes = form === "json" ? Buffer.from(JSON.stringify(plain)) : packr.pack(plain);
  return { ...CONTENT_TYPES[form], bytes };
}

/**
 * Reads a body in JSON or MessagePack, compressed by zlib or not.
 *
 * @param maxBytes - As much as a compressed one may hold. Default 1 MiB.
 * @throws UnreadableError for anything else, and for pickle and yaml with the reason why not.
 */
export function decodeBody(
  bytes: Uint8Array,
  contentType: unknown,
  compression: unknown,
  maxBytes = MOST_INFLATED,
): unknown {
  const form = formOf(contentType);
  try {
    const plain = inflate(bytes, compression, maxBytes);
    return form === "json" ? parseJson(utf8.decode(plain)) : packr.unpack(plain);
  } catch (cause) {
    if (cause instanceof UnreadableError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UnreadableError(`the body of the Celery message cannot be read as ${form}: ${reason}`, { cause });
  }
}

/** Python's own JSON, with the types that kombu 5.3 and later marks. */
export function parseJson(text: string): unknown {
  // Most bodies hold no such mark, and a reviver makes parsing four times as slow.
  return text.includes('"__type__"') || text.includes('"__base64__"') || text.includes('"__bytes__"')
    ? JSON.parse(text, (_, value: unknown) => reviveMarked(value))
    : JSON.parse(text);
}

function formOf(contentType: unknown): Form {
  const type = typeof contentType === "string" ? contentType.toLowerCase() : "";
  if (type === CONTENT_TYPES.json.content_type || type === "json") return "json";
  if (type === CONTENT_TYPES.msgpack.content_type || type === "msgpack") return "msgpack";
  const unsafe = UNSAFE[type];
  if (unsafe !== undefined) {
    throw new UnreadableError(
      `the body is ${unsafe}, which is never decoded because it can run code: set task_serializer = "json" (or "msgpack") on the producer`,
    );
  }
  throw new UnreadableError(`the body is ${JSON.stringify(String(contentType).slice(0, 80))}, not JSON or MessagePack`);
}

function inflate(bytes: Uint8Array, compression: unknown, maxBytes: number): Uint8Array {
  if (compression === undefined || compression === null || compression === "") return bytes;
  // kombu names zlib so.
  if (compression === "application/x-gzip" || compression === "zlib" || compression === "gzip") {
    return inflateUpTo(bytes, maxBytes);
  }
  const name = JSON.stringify(String(compression).slice(0, 80));
  throw new UnreadableError(`the body is compressed by ${name}: only zlib is read (task_compression = "zlib")`);
}

/** zlib stops at the limit: it never holds more than that. */
function inflateUpTo(bytes: Uint8Array, maxBytes: number): Uint8Array {
  try {
    return inflateSync(bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE")) throw cause;
    throw new UnreadableError(
      `the body unpacks to more than ${maxBytes.toLocaleString("en")} bytes: raise maxBytes of the driver, or send a reference to the data`,
      { cause },
    );
  }
}

function reviveMarked(value: unknown): unknown {
  if (!isFields(value)) return value;
  const { __type__: type, __value__: inner, bytes } = value;
  if (typeof bytes === "string" && value.__base64__ === true) return Buffer.from(bytes, "base64");
  if (typeof bytes === "string" && value.__bytes__ === true) return Buffer.from(bytes);
  if (type === "datetime" && typeof inner === "string" && !Number.isNaN(Date.parse(inner))) return new Date(inner);
  if (type === "uuid" && isFields(inner) && typeof inner.hex === "string") return dashed(inner.hex);
  return typeof type === "string" && inner !== undefined ? inner : value;
}

function dashed(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
