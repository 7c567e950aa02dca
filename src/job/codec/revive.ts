import { MAX_DEPTH } from "./codec.js";
import { decodeError, type ErrorRegistry } from "./errors.js";
import { BINARY_TYPES, readBigInt, TAG, VALUE } from "./tags.js";
import type { TypeRegistry } from "./types.js";

/** The opposite of `Flattener`: makes what is tagged into what it was, in place. Throws for what no flattener wrote. */
export class Reviver {
  readonly #types: TypeRegistry;
  readonly #errors: ErrorRegistry;

  constructor(types: TypeRegistry, errors: ErrorRegistry) {
    this.#types = types;
    this.#errors = errors;
  }

  revive(node: unknown, depth = 0): unknown {
    if (typeof node !== "object" || node === null) return node;
    if (depth >= MAX_DEPTH) throw new Error(`it is nested more than ${MAX_DEPTH} levels deep`);
    if (Array.isArray(node)) return this.#array(node, depth);
    // MessagePack's own dates and bytes.
    if (node instanceof Date || node instanceof Uint8Array) return node;
    if (Object.hasOwn(node, TAG)) return this.#tagged(node as Record<string, unknown>, depth);
    return this.#properties(node as Record<string, unknown>, depth);
  }

  #array(array: unknown[], depth: number): unknown[] {
    for (let index = 0; index < array.length; index++) array[index] = this.revive(array[index], depth + 1);
    return array;
  }

  /** All keys are the object's own already, so that assigning `__proto__` sets a property here and no prototype. */
  #properties(object: Record<string, unknown>, depth: number): Record<string, unknown> {
    for (const key of Object.keys(object)) object[key] = this.revive(object[key], depth + 1);
    return object;
  }

  #tagged(node: Record<string, unknown>, depth: number): unknown {
    const name = node[TAG];
    if (typeof name !== "string") throw new Error("it holds a type without a name");
    const value = this.revive(node[VALUE], depth + 1);
    if (name === "Error") return decodeError(value, this.#errors);
    const restore = this.#types.decoder(name) ?? builtIn(name);
    if (restore === undefined) throw new Error(`it holds a "${name}", a type that is not registered here`);
    return restore(value);
  }
}

type Restore = (value: unknown) => unknown;

function builtIn(name: string): Restore | undefined {
  if (Object.hasOwn(BUILT_IN, name)) return BUILT_IN[name];
  const BinaryType = Object.hasOwn(BINARY_TYPES, name) ? BINARY_TYPES[name] : undefined;
  return BinaryType && ((value) => new BinaryType(bytes(value).buffer));
}

const BUILT_IN: Readonly<Record<string, Restore>> = {
  undefined: () => undefined,
  number: (value) => known(SPECIAL_NUMBERS.get(value)),
  bigint: (value) => known(readBigInt(matching(value, /^/))),
  string: (value) => list(value).map(codeUnit).join(""),
  Date: (value) =>
    value === null ? new Date(Number.NaN) : validDate(matching(value, /^[+-]?\d{4,6}-\d\d-\d\dT[\d:.]+Z$/)),
  URL: (value) => new URL(matching(value, /:/)),
  RegExp: (value) => {
    const [source, flags] = list(value);
    return new RegExp(matching(source, /^/), matching(flags, /^[a-z]*$/));
  },
  Map: (value) => new Map(entries(value)),
  Set: (value) => new Set(list(value)),
  ArrayBuffer: (value) => bytes(value).buffer,
  object: (value) => Object.fromEntries(entries(value).map(([key, member]) => [matching(key, /^/), member])),
};

const SPECIAL_NUMBERS: ReadonlyMap<unknown, number> = new Map([
  ["-0", -0],
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);

function known<T>(value: T | undefined): T {
  if (value === undefined) throw malformed();
  return value;
}

function matching(value: unknown, pattern: RegExp): string {
  if (typeof value !== "string" || !pattern.test(value)) throw malformed();
  return value;
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw malformed();
  return value;
}

function entries(value: unknown): [unknown, unknown][] {
  return list(value).map((entry) => {
    const [key, member] = list(entry);
    return [key, member];
  });
}

function codeUnit(value: unknown): string {
  if (typeof value !== "number") throw malformed();
  return String.fromCharCode(value);
}

function validDate(text: string): Date {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) throw malformed();
  return date;
}

/** In memory of their own, from byte 0, as a typed array of wider elements needs. */
function bytes(value: unknown): Uint8Array<ArrayBuffer> {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  const text = matching(value, /^[A-Za-z0-9+/]*={0,2}$/);
  return new Uint8Array(Buffer.from(text, "base64"));
}

function malformed(): Error {
  return new Error("a value in it is malformed");
}
