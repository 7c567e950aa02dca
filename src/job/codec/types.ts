import { ConfigError } from "../errors.js";
import { isBuiltInTag, type Tagged, tagged } from "./tags.js";

type Class<T> = abstract new (...args: never[]) => T;

/** How values of a class of yours travel. Both sides register the same name. */
export interface CustomType<T> {
  /** What the type is called on the wire. Once jobs are stored, it cannot change. */
  readonly name: string;
  /** The class, whose subclasses it then matches too, or a type guard. */
  readonly match: Class<T> | ((value: unknown) => value is T);
  /** Answers a value that can be sent, which may hold other rich values. */
  encode(value: T): unknown;
  /** Makes the value again. What it throws makes the message unreadable. */
  decode(data: unknown): T;
}

interface Registered {
  /** Answers `undefined` where the value is not of this type. */
  wrap(value: object): Tagged | undefined;
  decode(data: unknown): unknown;
}

/**
 * The types that jobs may carry beside the built-in ones.
 *
 * @example
 * app.types.register({
 *   name: "Money",
 *   match: Money,
 *   encode: (money) => [money.cents, money.currency],
 *   decode: (data) => Money.parse(data),
 * });
 */
export class TypeRegistry {
  readonly #types = new Map<string, Registered>();
  #guards = false;

  /**
   * Adds a type. Where several match a value, the one registered first is used.
   *
   * @throws {ConfigError} when the name is empty, taken, or one of the built-in types'.
   */
  register<T>(type: CustomType<T>): void {
    const { name, match } = type;
    if (typeof name !== "string" || name === "") throw new ConfigError("a type needs a name to be registered under");
    if (isBuiltInTag(name)) throw new ConfigError(`the type name "${name}" is taskwright's own: choose another`);
    if (this.#types.has(name)) throw new ConfigError(`a type named "${name}" is registered already`);
    const matches = isClass(match) ? (value: unknown): value is T => value instanceof match : match;
    this.#guards ||= !isClass(match);
    this.#types.set(name, {
      wrap: (value) => (matches(value) ? tagged(name, type.encode(value)) : undefined),
      decode: (data) => type.decode(data),
    });
  }

  /** Can a plain object or an array be of a registered type? Only a type guard can match one. */
  get matchesPlainObjects(): boolean {
    return this.#guards;
  }

  /** The value as its type encodes it, under the type's name; `undefined` where no type matches. */
  wrap(value: object): Tagged | undefined {
    for (const type of this.#types.values()) {
      const wrapped = type.wrap(value);
      if (wrapped !== undefined) return wrapped;
    }
    return undefined;
  }

  /** The decoder of the type with this name. */
  decoder(name: string): ((data: unknown) => unknown) | undefined {
    return this.#types.get(name)?.decode;
  }
}

/**
 * Arrow functions and methods have no prototype and so are guards. A `function` is one too unless it looks like a
 * constructor: it is native, or its prototype has members or a parent.
 */
function isClass<T>(match: CustomType<T>["match"]): match is Class<T> {
  const prototype: unknown = match.prototype;
  if (typeof prototype !== "object" || prototype === null) return false;
  return (
    /^class\b|\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(match)) ||
    Reflect.ownKeys(prototype).length > 1 ||
    Object.getPrototypeOf(prototype) !== Object.prototype
  );
}
