import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { pack, unpack } from "msgpackr";
import { describe, expect, it } from "vitest";
import { createCodec, detectCodec, ErrorRegistry, TypeRegistry } from "../../src/job/codec/index.js";
import { ConfigError } from "../../src/job/errors.js";
import { CODECS, codecOf, roundTrip, sendableValues } from "./codec-values.js";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const nested = (depth: number): unknown => (depth === 0 ? [] : [nested(depth - 1)]);

describe.each(CODECS)("%s", (name) => {
  it("brings every kind of value back as it was", () => {
    fc.assert(
      fc.property(sendableValues(), (value) => {
        const back = roundTrip(name, [value]);
        if (!isDeepStrictEqual(back, [value])) expect(back).toStrictEqual([value]);
      }),
      { numRuns: 2000 },
    );
  });

  it("leaves the value as it was", () => {
    fc.assert(
      fc.property(fc.clone(sendableValues(), 2), ([value, same]) => {
        codecOf(name).encode([value]);
        expect(isDeepStrictEqual(value, same)).toBe(true);
      }),
    );
  });

  it("says which codec wrote a body", () => {
    fc.assert(
      fc.property(fc.array(sendableValues(), { maxLength: 40 }), (body) => {
        expect(detectCodec(codecOf(name).encode(body))).toBe(name);
      }),
    );
  });

  it("brings invalid dates back", () => {
    const [date] = roundTrip(name, [new Date(Number.NaN)]);
    expect(date).toBeInstanceOf(Date);
    expect(date?.getTime()).toBeNaN();
  });

  it("sends holes as undefined", () => {
    expect(roundTrip(name, [new Array<number>(2)])).toStrictEqual([[undefined, undefined]]);
  });

  it("answers bytes in memory of their own", () => {
    const big = new Uint8Array(100_000);
    const [buffer, view] = roundTrip<unknown[]>(name, [
      Buffer.from("hello"),
      new Uint8Array([1, 2, 3, 4]).subarray(1, 3),
      big,
    ]);
    expect(buffer).toStrictEqual(new Uint8Array([104, 101, 108, 108, 111]));
    expect(Buffer.isBuffer(buffer)).toBe(false);
    expect(view).toStrictEqual(new Uint8Array([2, 3]));
    expect((view as Uint8Array).buffer.byteLength).toBe(2);
    expect((buffer as Uint8Array).buffer.byteLength).toBe(5);
  });

  it("never writes over bytes it returned", () => {
    const codec = codecOf(name);
    const other = codecOf("msgpack");
    const kept: { bytes: Uint8Array; copy: string }[] = [];
    fc.assert(
      fc.property(fc.array(sendableValues()), fc.nat({ max: 3000 }), (value, length) => {
        const bytes = codec.encode([value, "x".repeat(length)]);
        kept.push({ bytes, copy: hex(bytes) });
        pack(value.length);
        other.encode([length]);
      }),
      { numRuns: 300 },
    );
    for (const { bytes, copy } of kept) expect(hex(bytes)).toBe(copy);
  });

  it("keeps no big buffer after a big body", () => {
    codecOf(name).encode(["x".repeat(5_000_000)]);
    // msgpackr has one buffer for the whole process.
    expect(pack(1).buffer.byteLength).toBeLessThanOrEqual(1 << 20);
  });

  it("keeps a leading byte order mark, in short texts and long ones", () => {
    const value = ["\ufeff", `\ufeff${"x".repeat(200)}`, { [`\ufeff${"k".repeat(200)}`]: 1 }];
    expect(roundTrip(name, value)).toStrictEqual(value);
  });

  it("leaves the bytes it reads as they were, and nothing on them", () => {
    const codec = codecOf(name);
    for (const length of [10, 10_000]) {
      const bytes = codec.encode(["x".repeat(length)]);
      const before = hex(bytes);
      codec.decode(bytes);
      expect(hex(bytes)).toBe(before);
      expect(bytes).not.toHaveProperty("dataView");
    }
  });

  it("reads a body inside a bigger buffer", () => {
    const codec = codecOf(name);
    const bytes = codec.encode([1, { a: new Map([["k", 5n]]) }]);
    const around = Buffer.concat([Buffer.from("garbage"), bytes, Buffer.from("garbage")]);
    expect(codec.decode(around.subarray(7, 7 + bytes.length))).toStrictEqual([1, { a: new Map([["k", 5n]]) }]);
  });

  it("sends class instances as toJSON says, or as their own enumerable properties", () => {
    class Point {
      constructor(
        readonly x: number,
        readonly y: bigint,
      ) {}
      get length() {
        return 5;
      }
    }
    class Price {
      readonly cents = 5;
      toJSON() {
        return { price: new Date(0) };
      }
    }
    const bare = Object.assign(Object.create(null), { a: 1 });
    expect(
      roundTrip<unknown[]>(name, [new Point(1, 2n), new Price(), bare, new Boolean(true), Object("text")]),
    ).toStrictEqual([{ x: 1, y: 2n }, { price: new Date(0) }, { a: 1 }, true, "text"]);
  });

  it("does not send symbol keys, properties that are not enumerable, or what is inherited", () => {
    const value = Object.defineProperty({ a: 1, [Symbol("s")]: 2 }, "hidden", { value: 3 });
    expect(roundTrip(name, [value])).toStrictEqual([{ a: 1 }]);
  });

  it.each<[unknown, string]>([
    [{ onDone() {} }, "args[0].onDone is a function, which cannot be sent"],
    [{ a: [1, Symbol("s")] }, "args[0].a[1] is a symbol, which cannot be sent"],
    [{ "two words": class {} }, 'args[0]["two words"] is a function, which cannot be sent'],
    [new Map([["k", () => 1]]), "args[0] (value 0 of the Map) is a function, which cannot be sent"],
    [new Set([{ f: () => 1 }]), "args[0] (item 0 of the Set).f is a function, which cannot be sent"],
    [Promise.resolve(1), "args[0] is a Promise (await it first), which cannot be sent"],
    [{ a: new WeakMap() }, "args[0].a is a WeakMap, which cannot be sent"],
    [{ a: new WeakRef({}) }, "args[0].a is a WeakRef, which cannot be sent"],
    [(function* () {})(), "args[0] is a generator, which cannot be sent"],
    [{ $type: () => 1 }, "args[0].$type is a function, which cannot be sent"],
  ])("names the path of what cannot be sent: %o", (value, message) => {
    const encode = () => codecOf(name).encode([1, [value]], ["version", "args"]);
    expect(encode).toThrow(ConfigError);
    expect(encode).toThrow(message);
  });

  it("names the path without the names of its elements too", () => {
    expect(() => codecOf(name).encode([1, [() => 1]])).toThrow("value[1][0] is a function, which cannot be sent");
    expect(() => codecOf(name).encode(() => 1)).toThrow("value is a function, which cannot be sent");
  });

  it("names where a circular value closes", () => {
    const self: Record<string, unknown> = { a: { b: [1] } };
    (self.a as Record<string, unknown>).back = self;
    const map = new Map<string, unknown>();
    map.set("self", { map });
    const names = ["version", "args"];
    const encode = (value: unknown) => () => codecOf(name).encode([1, [value]], names);
    expect(encode(self)).toThrow(ConfigError);
    expect(encode(self)).toThrow("args[0].a.back is circular: it is contained in itself, which cannot be sent");
    expect(encode(map)).toThrow("args[0] (value 0 of the Map).map is circular");
    const body: unknown[] = [1];
    body.push(body);
    expect(() => codecOf(name).encode(body, names)).toThrow(/args.* is circular/);
  });

  it("sends a value twice that occurs twice without being circular", () => {
    const shared = { a: 1 };
    expect(roundTrip(name, [shared, { shared }])).toStrictEqual([{ a: 1 }, { shared: { a: 1 } }]);
  });

  it("reads whatever depth it writes, and refuses to write more", () => {
    const codec = codecOf(name);
    expect(codec.decode(codec.encode(nested(499)))).toStrictEqual(nested(499));
    expect(() => codec.encode(nested(500))).toThrow(/^value(\[0\]){12}… is nested more than 500 levels deep/);
    let maps: unknown = 1;
    for (let depth = 0; depth < 160; depth++) maps = new Map([[1, maps]]);
    expect(isDeepStrictEqual(codec.decode(codec.encode([maps])), [maps])).toBe(true);
    for (let depth = 0; depth < 20; depth++) maps = new Map([[1, maps]]);
    expect(() => codec.encode([maps])).toThrow(/nested more than 500/);
  });

  it("may be used by a custom type while it works", () => {
    const types = new TypeRegistry();
    const codec = createCodec(name, types, new ErrorRegistry());
    class Box {
      constructor(readonly inner: unknown) {}
    }
    types.register<Box>({
      name: "Box",
      match: Box,
      encode: ({ inner }) => codec.encode([inner]),
      decode: (data) => new Box((codec.decode(data as Uint8Array) as unknown[])[0]),
    });
    const value = ["before", new Box(new Box([1n])), "after"];
    expect(codec.decode(codec.encode(value))).toStrictEqual(value);
  });
});

describe("what other languages see", () => {
  it.each<[unknown, string]>([
    [[2, 3], "920203"],
    [[127, 128, 65_536, -1, -200], "957fccf8ce00010000ffd1ff38".replace("ccf8", "cc80")],
    [[1.5], "91cb3ff8000000000000"],
    [[2 ** 40], "91cb4270000000000000"],
    [["é", true, null], "93a2c3a9c3c0"],
    [{ a: 1, b: [] }, "82a16101a16290"],
    [[new Uint8Array([1, 2])], "91c4020102"],
    [[new Date(1_000_000_000_000)], "91d6ff3b9aca00"],
    [[new Date(1_000_000_000_001)], "91d7ff003d09003b9aca00"],
  ])("writes %j as standard MessagePack", (value, expected) => {
    expect(hex(codecOf("msgpack").encode(value))).toBe(expected);
  });

  it("writes any JSON value so that a plain MessagePack reader has it", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value));
        fc.pre(!JSON.stringify(value).includes("__proto__"));
        expect(unpack(codecOf("msgpack").encode([plain]))).toStrictEqual([plain]);
      }),
    );
  });

  it("reads integers of 64 bits as numbers where they are safe, and otherwise as bigints", () => {
    const body = Buffer.from("94cf000000e8d4a51000d3ffffffffffffffffcf7fffffffffffffffd38000000000000000", "hex");
    expect(codecOf("msgpack").decode(body)).toStrictEqual([1e12, -1, 2n ** 63n - 1n, -(2n ** 63n)]);
  });

  it("writes JSON that people can read", () => {
    const text = Buffer.from(
      codecOf("json").encode([1, "a", { when: new Date(0), big: 5n, raw: Buffer.from("hi") }]),
    ).toString();
    expect(text).toBe(
      '[1,"a",{"when":{"$type":"Date","value":"1970-01-01T00:00:00.000Z"},"big":{"$type":"bigint","value":"5"},"raw":{"$type":"Uint8Array","value":"aGk="}}]',
    );
  });

  it("reads JSON that others wrote, with spaces and any order of keys", () => {
    const body = Buffer.from('[ 1, {"value": "5", "$type": "bigint"} , {"__proto__": {"a": 1}} ]');
    const [, big, object] = codecOf("json").decode(body) as [number, bigint, object];
    expect(big).toBe(5n);
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
  });
});

describe("createCodec", () => {
  it("rejects a name it does not know, saying which it does", () => {
    expect(() => codecOf("yaml" as "json")).toThrow('codec is "yaml": use "msgpack" or "json"');
  });
});
