/** How bodies are written: compact MessagePack, or readable JSON. Both carry the same values. */
export type CodecName = "msgpack" | "json";

/**
 * Turns values into bytes and back. These arrive as what they were, nested as they were: everything JSON knows,
 * `undefined`, `NaN`, infinities, `-0`, `bigint`, `Date`, `Map`, `Set`, `Uint8Array` (also for a `Buffer`), the other typed
 * arrays, `ArrayBuffer`, `DataView`, `URL`, `RegExp`, `Error`, and the types registered in the `TypeRegistry`.
 *
 * Any other class instance is sent as what its `toJSON()` answers, or else as a plain object of its own enumerable
 * properties. Symbol keys, and the identity of values that occur twice, are not sent.
 */
export interface Codec {
  readonly name: CodecName;
  /**
   * The returned bytes are the caller's own: nothing overwrites them.
   *
   * @param names What the elements of a top-level array are called in errors: with `["id", "args"]`, what is wrong in the
   *   second element is named `args...`.
   * @throws {ConfigError} naming the path of a function, a symbol, a circular reference or another value that cannot be sent.
   */
  encode(value: unknown, names?: readonly string[]): Uint8Array;
  /** @throws {UnreadableError}, and nothing else, for bytes that no codec of this name and registry wrote. */
  decode(bytes: Uint8Array): unknown;
}

/**
 * Bodies may nest this deep, counting each array and object on the wire (a `Map` counts as three). It keeps hostile bytes
 * from overflowing the stack, which overflows at about 8,000.
 */
export const MAX_DEPTH = 500;
