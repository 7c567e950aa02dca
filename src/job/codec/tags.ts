/**
 * What neither format has is written as an object `{ "$type": name, "value": ... }`, the same in both. An object of the
 * user's that has the key `$type` itself (or `__proto__`, which decoders must not assign) is written as `$type: "object"`
 * with a list of its entries.
 */
export const TAG = "$type";
export const VALUE = "value";

export interface Tagged {
  readonly [TAG]: string;
  readonly [VALUE]: unknown;
}

export function tagged(name: string, value: unknown): Tagged {
  return { [TAG]: name, [VALUE]: value };
}

/** Must an object with this key be written as a list of entries? */
export function isReservedKey(key: string): boolean {
  return key === TAG || key === "__proto__";
}

/** The classes of binary data that are written under their own name. `Uint8Array` is the plain one. */
export const BINARY_TYPES: Readonly<Record<string, new (buffer: ArrayBuffer) => ArrayBufferView>> = {
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
};

const BUILT_IN_TAGS: ReadonlySet<string> = new Set([
  ...Object.keys(BINARY_TYPES),
  ...[
    "ArrayBuffer",
    "bigint",
    "Date",
    "Error",
    "Map",
    "number",
    "object",
    "RegExp",
    "Set",
    "string",
    "undefined",
    "URL",
  ],
]);

/** Is the name taken by a type that taskwright itself writes? */
export function isBuiltInTag(name: string): boolean {
  return BUILT_IN_TAGS.has(name);
}

/** Decimal takes quadratic time (a million digits: 285 ms to write, 117 ms to read), so that it is for 256 bits at most. */
const DECIMAL_BITS = 256;
const BIGINT = /^(-?)(\d{1,78}|0x[0-9a-f]+)$/;

export function writeBigInt(value: bigint): string {
  if (BigInt.asIntN(DECIMAL_BITS, value) === value) return value.toString();
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** Answers `undefined` for what `writeBigInt` does not write. */
export function readBigInt(text: string): bigint | undefined {
  const [, sign, digits] = BIGINT.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return sign === "-" ? -BigInt(digits) : BigInt(digits);
}
