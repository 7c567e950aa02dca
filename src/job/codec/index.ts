import { ConfigError, UnreadableError } from "../errors.js";
import type { Codec, CodecName } from "./codec.js";
import type { ErrorRegistry } from "./errors.js";
import { Flattener, type Format } from "./flatten.js";
import { pack, unpack } from "./msgpack.js";
import { NotSendable } from "./path.js";
import { Reviver } from "./revive.js";
import type { TypeRegistry } from "./types.js";

export type { Codec, CodecName } from "./codec.js";
export type { ErrorData } from "./error-data.js";
export { decodeError, ErrorRegistry, encodeError } from "./errors.js";
export { type CustomType, TypeRegistry } from "./types.js";

/** The bytes of `[`: where a JSON body, always an array, starts. As MessagePack it is the number 91 and no array. */
const OPENING_BRACKET = 0x5b;

/**
 * Makes the codec of this name.
 *
 * @throws {ConfigError} for any other name.
 *
 * @example
 * const codec = createCodec("msgpack", new TypeRegistry(), new ErrorRegistry());
 * codec.decode(codec.encode([new Date(0), 5n])); // [new Date(0), 5n]
 */
export function createCodec(name: CodecName, types: TypeRegistry, errors: ErrorRegistry): Codec {
  const reviver = new Reviver(types, errors);
  const flat = flattening(name === "msgpack" ? "binary" : "text", types);
  switch (name) {
    case "msgpack":
      return {
        name,
        encode: (value, names) => pack(flat(value, names)),
        decode: (bytes) => reading(name, () => decodeMessagePack(bytes, reviver)),
      };
    case "json":
      return {
        name,
        encode: (value, names) => Buffer.from(JSON.stringify(flat(value, names))),
        decode: (bytes) => reading(name, () => reviver.revive(JSON.parse(utf8.decode(bytes)))),
      };
    default:
      throw new ConfigError(`codec is ${JSON.stringify(name)}: use "msgpack" or "json"`);
  }
}

/** Which codec wrote this body, given that the top level of every body is an array. */
export function detectCodec(bytes: Uint8Array): CodecName {
  return bytes[0] === OPENING_BRACKET ? "json" : "msgpack";
}

/** Rejects what is not UTF-8, and keeps a byte order mark, which then is no JSON. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** One flattener serves all values of a codec: a new one each cost 300 bytes, a tenth of what a small job allocates. */
function flattening(format: Format, types: TypeRegistry): (value: unknown, names?: readonly string[]) => unknown {
  let flattener = new Flattener(format, types);
  return (value, names) => {
    try {
      return flattener.flatten(value);
    } catch (error) {
      // It stopped halfway, with its path still open.
      flattener = new Flattener(format, types);
      throw error instanceof NotSendable ? error.toConfigError(names) : error;
    }
  };
}

function decodeMessagePack(bytes: Uint8Array, reviver: Reviver): unknown {
  const { flat, tagged } = unpack(bytes);
  return tagged ? reviver.revive(flat) : flat;
}

function reading(name: CodecName, decode: () => unknown): unknown {
  try {
    return decode();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UnreadableError(`a body cannot be read as ${name}: ${reason}`, { cause });
  }
}
