import { types as is } from "node:util";
import { MAX_DEPTH } from "./codec.js";
import { describeError } from "./error-data.js";
import { NotSendable, type Step } from "./path.js";
import { isReservedKey, type Tagged, tagged, writeBigInt } from "./tags.js";
import type { TypeRegistry } from "./types.js";

/** What a format has of its own. Binary: dates, bytes, `undefined`, non-finite numbers. Text: strings of any code units. */
export type Format = "binary" | "text";

/** Errors within errors: from here on only their name and message are sent. */
const MAX_ERRORS = 8;
/** An error's property must leave room for where the error itself stands in the message. */
const PROPERTY_DEPTH = MAX_DEPTH / 2;

/** Can this be sent as a property of an error? An error within it can, as it loses the properties that cannot. */
export function isSendable(value: unknown, types: TypeRegistry): boolean {
  try {
    new Flattener("binary", types, true).flatten(value, PROPERTY_DEPTH);
    return true;
  } catch {
    return false;
  }
}

/**
 * Rewrites a value as what the format has, with tags for the rest. Answers the value itself where nothing in it needs
 * rewriting, which is the common case and copies nothing.
 *
 * One instance flattens one value at a time: it keeps the path it is at, for errors.
 */
export class Flattener {
  readonly #text: boolean;
  readonly #types: TypeRegistry;
  readonly #omitErrors: boolean;
  /** Where it is, and the objects on the way there: `#objects[n]` is what `#path[n]` leads to. */
  readonly #path: Step[] = [];
  readonly #objects: object[] = [];
  readonly #errors: object[] = [];

  /** @param omitErrors Pass over errors, for asking whether a value can be sent. */
  constructor(format: Format, types: TypeRegistry, omitErrors = false) {
    this.#text = format === "text";
    this.#types = types;
    this.#omitErrors = omitErrors;
  }

  /**
   * @param depth How deep in the message the value stands.
   * @throws {NotSendable}
   */
  flatten(value: unknown, depth = 0): unknown {
    return isObject(value) ? this.#object(value, depth) : this.#primitive(value);
  }

  /** What `step` leads to. Primitives, the most there is, need no path kept. */
  #member(step: Step, value: unknown, depth: number): unknown {
    if (!isObject(value)) return this.#primitive(value, step);
    this.#path.push(step);
    this.#objects.push(value);
    const flat = this.#object(value, depth);
    this.#path.pop();
    this.#objects.pop();
    return flat;
  }

  #primitive(value: unknown, step?: Step): unknown {
    switch (typeof value) {
      case "number":
        return this.#number(value);
      case "string":
        return this.#text || survivesUtf8(value) ? value : tagged("string", codeUnits(value));
      case "bigint":
        return tagged("bigint", writeBigInt(value));
      case "undefined":
        return this.#text ? tagged("undefined", null) : undefined;
      case "function":
        throw this.#problem("is a function, which cannot be sent", step);
      case "symbol":
        throw this.#problem("is a symbol, which cannot be sent", step);
      default:
        return value;
    }
  }

  #number(value: number): unknown {
    if (value === 0) return Object.is(value, -0) ? tagged("number", "-0") : value;
    return this.#text && !Number.isFinite(value) ? tagged("number", String(value)) : value;
  }

  #object(value: object, depth: number): unknown {
    if (depth >= MAX_DEPTH) throw this.#tooDeep();
    const prototype: unknown = Object.getPrototypeOf(value);
    const plain = prototype === Object.prototype || prototype === null || prototype === Array.prototype;
    if (!plain || this.#types.matchesPlainObjects) {
      const wrapped = this.#types.wrap(value);
      if (wrapped !== undefined) return tagged(wrapped.$type, this.flatten(wrapped.value, depth + 1));
    }
    if (Array.isArray(value)) return this.#array(value, depth);
    return plain ? this.#properties(value, depth) : this.#instance(value, depth);
  }

  /** Indexed, because holes are sent as `undefined` and `map` would keep them. */
  #array(array: readonly unknown[], depth: number): readonly unknown[] {
    let copy: unknown[] | undefined;
    for (let index = 0; index < array.length; index++) {
      const flat = this.#member(index, array[index], depth + 1);
      if (copy === undefined && flat !== array[index]) copy = array.slice(0, index);
      copy?.push(flat);
    }
    return copy ?? array;
  }

  #properties(object: object, depth: number): unknown {
    const properties = object as Readonly<Record<string, unknown>>;
    const keys = Object.keys(properties);
    let copy: Record<string, unknown> | undefined;
    for (const key of keys) {
      if (isReservedKey(key) || !(this.#text || survivesUtf8(key))) return this.#entries(properties, keys, depth);
      const flat = this.#member(key, properties[key], depth + 1);
      if (flat === properties[key]) continue;
      copy ??= { ...properties };
      copy[key] = flat;
    }
    return copy ?? object;
  }

  #entries(properties: Readonly<Record<string, unknown>>, keys: readonly string[], depth: number): Tagged {
    const entries = keys.map((key) => [this.#primitive(key), this.#member(key, properties[key], depth + 3)]);
    return tagged("object", entries);
  }

  #instance(value: object, depth: number): unknown {
    if (is.isDate(value)) return this.#date(value);
    if (ArrayBuffer.isView(value)) return this.#view(value);
    if (is.isAnyArrayBuffer(value)) return tagged("ArrayBuffer", this.#bytes(new Uint8Array(value)));
    if (is.isMap(value)) return tagged("Map", this.#mapEntries(value, depth));
    if (is.isSet(value)) return tagged("Set", this.#setItems(value, depth));
    if (is.isNativeError(value) || value instanceof Error) return this.#error(value, depth);
    if (value instanceof URL) return tagged("URL", value.href);
    if (is.isRegExp(value)) return tagged("RegExp", [value.source, value.flags]);
    if (is.isBoxedPrimitive(value)) return this.#primitive(value.valueOf());
    return this.#unknownInstance(value, depth);
  }

  #date(date: Date): unknown {
    const time = date.getTime();
    if (Number.isNaN(time)) return tagged("Date", null);
    if (this.#text) return tagged("Date", date.toISOString());
    return Object.getPrototypeOf(date) === Date.prototype ? date : new Date(time);
  }

  #view(view: ArrayBufferView): unknown {
    if (view instanceof Uint8Array && !this.#text) return view;
    const name = is.isTypedArray(view) ? view[Symbol.toStringTag] : "DataView";
    const bytes = this.#bytes(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    return name === "Uint8Array" && !this.#text ? bytes : tagged(name, bytes);
  }

  #bytes(bytes: Uint8Array): unknown {
    return this.#text ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64") : bytes;
  }

  #mapEntries(map: ReadonlyMap<unknown, unknown>, depth: number): unknown[] {
    return Array.from(map, ([key, value], index) => [
      this.#member({ text: ` (key ${index} of the Map)` }, key, depth + 3),
      this.#member({ text: ` (value ${index} of the Map)` }, value, depth + 3),
    ]);
  }

  #setItems(set: ReadonlySet<unknown>, depth: number): unknown[] {
    return Array.from(set, (item, index) => this.#member({ text: ` (item ${index} of the Set)` }, item, depth + 2));
  }

  /** An error never keeps a job from being sent: what cannot be sent of it is left out. */
  #error(error: object, depth: number): unknown {
    if (this.#omitErrors) return null;
    const known = this.#errors.length >= MAX_ERRORS || this.#errors.includes(error);
    this.#errors.push(error);
    const data = describeError(error, (property) => isSendable(property, this.#types));
    const flat = tagged(
      "Error",
      this.#properties(known ? { name: data.name, message: data.message } : data, depth + 1),
    );
    this.#errors.pop();
    return flat;
  }

  #unknownInstance(value: object, depth: number): unknown {
    const kind = unsendableKind(value);
    if (kind !== undefined) throw this.#problem(`is a ${kind}, which cannot be sent`);
    const json = "toJSON" in value && typeof value.toJSON === "function" ? (value.toJSON() as unknown) : value;
    return json === value ? this.#properties({ ...value }, depth) : this.flatten(json, depth + 1);
  }

  /** A circular value is found by its depth alone, which costs nothing on the way. */
  #tooDeep(): NotSendable {
    const repeated = this.#objects.findIndex((object, index) => this.#objects.indexOf(object) < index);
    if (repeated === -1) return this.#problem(`is nested more than ${MAX_DEPTH} levels deep, which cannot be sent`);
    const problem = "is circular: it is contained in itself, which cannot be sent";
    return new NotSendable(this.#path.slice(0, repeated + 1), problem);
  }

  #problem(problem: string, step?: Step): NotSendable {
    return new NotSendable(step === undefined ? [...this.#path] : [...this.#path, step], problem);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** Objects without properties whose meaning would silently be lost. */
function unsendableKind(value: object): string | undefined {
  if (is.isPromise(value)) return "Promise (await it first)";
  if (is.isGeneratorObject(value)) return "generator";
  if (is.isWeakMap(value)) return "WeakMap";
  if (is.isWeakSet(value)) return "WeakSet";
  return value instanceof WeakRef ? "WeakRef" : undefined;
}

/** Half surrogate pairs have no UTF-8, and `TextDecoder`, which msgpackr uses, drops a leading byte order mark. */
function survivesUtf8(text: string): boolean {
  return (text as WellFormed).isWellFormed() && text.charCodeAt(0) !== 0xfeff;
}

/** In Node 20, but in TypeScript's library only from ES2024. */
type WellFormed = string & { isWellFormed(): boolean };

function codeUnits(text: string): number[] {
  return Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
}
