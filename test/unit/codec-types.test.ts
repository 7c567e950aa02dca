import { describe, expect, it } from "vitest";
import { TypeRegistry } from "../../src/job/codec/index.js";
import { ConfigError, UnreadableError } from "../../src/job/errors.js";
import { CODECS, codecOf, roundTrip } from "./codec-values.js";

class Money {
  constructor(
    readonly cents: bigint,
    readonly currency: string,
  ) {}
}
class Euro extends Money {
  constructor(cents: bigint) {
    super(cents, "EUR");
  }
}
interface Branded {
  kind: "branded";
  when: Date;
}

function isBranded(value: unknown): value is Branded {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "branded";
}

function registry(): TypeRegistry {
  const types = new TypeRegistry();
  types.register({
    name: "Money",
    match: Money,
    encode: ({ cents, currency }) => [cents, currency],
    decode: (data) => {
      const [cents, currency] = data as [bigint, string];
      if (typeof cents !== "bigint") throw new TypeError("no amount");
      return new Money(cents, currency);
    },
  });
  return types;
}

describe.each(CODECS)("custom types with %s", (name) => {
  it("come back as what they were, nested, with rich values of their own", () => {
    const value = [new Money(5n, "CHF"), { wallet: new Map([["a", [new Money(2n, "EUR")]]]) }];
    expect(roundTrip(name, value, registry())).toStrictEqual(value);
  });

  it("match subclasses, and the first of several that match is used", () => {
    expect(roundTrip<unknown>(name, [new Euro(1n)], registry())).toStrictEqual([new Money(1n, "EUR")]);
    const types = new TypeRegistry();
    types.register<Euro>({
      name: "Euro",
      match: Euro,
      encode: (euro) => euro.cents,
      decode: (data) => new Euro(data as bigint),
    });
    types.register<Money>({ name: "Money", match: Money, encode: () => null, decode: () => new Money(0n, "") });
    expect(roundTrip(name, [new Euro(1n)], types)).toStrictEqual([new Euro(1n)]);
  });

  it("match by a type guard too, also plain objects, arrays and subclasses of built-ins", () => {
    const types = new TypeRegistry();
    class Stamp extends Date {}
    types.register<Branded>({
      name: "Branded",
      match: isBranded,
      encode: ({ when }) => ({ when }),
      decode: (data) => ({ kind: "branded", ...(data as { when: Date }) }),
    });
    types.register<Stamp>({
      name: "Stamp",
      match: (value) => value instanceof Stamp,
      encode: (stamp) => stamp.getTime(),
      decode: (data) => new Stamp(data as number),
    });
    const value = [{ kind: "branded" as const, when: new Date(5) }, new Stamp(7), { kind: "other" }];
    const back = roundTrip(name, value, types);
    expect(back).toStrictEqual(value);
    expect(back[1]).toBeInstanceOf(Stamp);
  });

  it("make a message unreadable where they are not registered or refuse the data", () => {
    const bytes = codecOf(name, registry()).encode([new Money(1n, "EUR")]);
    expect(() => codecOf(name).decode(bytes)).toThrow(UnreadableError);
    expect(() => codecOf(name).decode(bytes)).toThrow('"Money", a type that is not registered here');
    const broken = codecOf(name, registry()).encode([new Money(1 as unknown as bigint, "EUR")]);
    expect(() => codecOf(name, registry()).decode(broken)).toThrow(UnreadableError);
    expect(() => codecOf(name, registry()).decode(broken)).toThrow(
      expect.objectContaining({ cause: new TypeError("no amount") }),
    );
  });

  it("name the path of what they encode to and cannot be sent", () => {
    const types = new TypeRegistry();
    types.register<Money>({
      name: "Money",
      match: Money,
      encode: () => ({ f: () => 1 }),
      decode: () => new Money(0n, ""),
    });
    expect(() => codecOf(name, types).encode([[new Money(1n, "")]], ["args"])).toThrow("args[0].f is a function");
  });

  it("that encode to themselves are refused, and not for ever", () => {
    const types = new TypeRegistry();
    types.register<Money>({ name: "Money", match: Money, encode: (money) => money, decode: () => new Money(0n, "") });
    expect(() => codecOf(name, types).encode([new Money(1n, "")])).toThrow(/nested more than 500/);
  });
});

describe("TypeRegistry", () => {
  it("refuses names that are empty, taken or taskwright's own", () => {
    const types = registry();
    const type = { match: Money, encode: () => null, decode: () => new Money(0n, "") };
    for (const name of ["", "Money", "Map", "bigint", "Float64Array", "object"]) {
      expect(() => types.register<Money>({ ...type, name })).toThrow(ConfigError);
    }
  });
});
