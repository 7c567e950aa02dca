import fc from "fast-check";
import { Packr } from "msgpackr";
import { describe, expect, it } from "vitest";
import { UnreadableError } from "../../src/job/errors.js";
import { CODECS, codecOf, sendableValues } from "./codec-values.js";

/** Reads, and lets only an `UnreadableError` pass. */
function tryRead(name: "msgpack" | "json", bytes: Uint8Array): unknown {
  try {
    return codecOf(name).decode(bytes);
  } catch (error) {
    if (!(error instanceof UnreadableError && error.cause !== undefined)) throw error;
    return error;
  }
}

const bytesOf = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");

describe.each(CODECS)("hostile bytes in %s", (name) => {
  const bodies = fc.array(sendableValues(), { maxLength: 4 }).map((body) => codecOf(name).encode(body));

  it("give a value or an UnreadableError when any byte is another", () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(bodies, changes, (body, edits) => {
        const bytes = Uint8Array.from(body);
        for (const [at, value] of edits) bytes[at % bytes.length] = value;
        tryRead(name, bytes);
      }),
      { numRuns: 3000 },
    );
  });

  it("give a value or an UnreadableError when parts are missing, doubled or strange", () => {
    fc.assert(
      fc.property(bodies, fc.nat(), fc.nat(), fc.uint8Array(), (body, from, to, inserted) => {
        const [start, end] = [from % body.length, to % body.length];
        tryRead(name, Buffer.concat([body.subarray(0, start), inserted, body.subarray(end)]));
        tryRead(name, inserted);
      }),
      { numRuns: 3000 },
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it("are unreadable when cut anywhere", () => {
    fc.assert(
      fc.property(bodies, fc.nat(), (body, at) => {
        expect(tryRead(name, body.subarray(0, at % body.length))).toBeInstanceOf(UnreadableError);
      }),
    );
  });

  it("are unreadable one level deeper than anything is written", () => {
    const start = name === "json" ? "5b" : "91";
    const end = name === "json" ? "5d" : "";
    const depth = (levels: number) =>
      bytesOf(start.repeat(levels) + (name === "json" ? "31" : "01") + end.repeat(levels));
    expect(tryRead(name, depth(500))).toBeInstanceOf(Array);
    expect(tryRead(name, depth(501))).toMatchObject({
      message: expect.stringContaining("nested more than 500 levels deep"),
    });
  });

  it("are unreadable when something follows", () => {
    fc.assert(
      fc.property(bodies, bodies, (body, more) => {
        const error = tryRead(name, Buffer.concat([body, more]));
        expect(error).toBeInstanceOf(UnreadableError);
        if (name === "msgpack")
          expect(error).toMatchObject({ message: expect.stringMatching(/\d+ bytes follow its end/) });
      }),
    );
  });

  it("cannot reach a prototype", () => {
    const Plain = codecOf(name);
    const tagged = { ["__proto__"]: { polluted: true }, constructor: { prototype: { polluted: true } } };
    const [back] = Plain.decode(Plain.encode([tagged])) as [Record<string, unknown>];
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(Object.hasOwn(back, "__proto__")).toBe(true);
  });

  it.each([
    ["Map", [[1]].concat([5 as never])],
    ["Map", 5],
    ["Set", {}],
    ["bigint", "five"],
    ["bigint", "9".repeat(100_000)],
    ["bigint", null],
    ["number", "12"],
    ["Date", "tomorrow"],
    ["Date", "2020-99-99T00:00:00.000Z"],
    ["Date", 5],
    ["URL", "nowhere"],
    ["URL", null],
    ["RegExp", ["(", ""]],
    ["RegExp", ["a", "zz"]],
    ["RegExp", "a"],
    ["Float64Array", "AAAA"],
    ["Uint8Array", 5],
    ["Uint8Array", "ä"],
    ["object", [5]],
    ["object", [[5, 5]]],
    ["string", ["a"]],
    ["constructor", 1],
    ["__proto__", 1],
    ["toString", 1],
    ["Function", "return 1"],
    [5, 5],
  ])("are unreadable with a %s of %j", (type, value) => {
    const text = JSON.stringify([{ $type: type, value }]);
    const plain = new Packr({ useRecords: false });
    const bytes = name === "json" ? Buffer.from(text) : plain.pack(JSON.parse(text));
    expect(tryRead(name, bytes)).toBeInstanceOf(UnreadableError);
  });
});

describe("hostile MessagePack", () => {
  it.each([
    ["nothing at all", ""],
    ["an unused token", "91 c1"],
    ["an error of msgpackr's own", "91 d4 65 00 93 a5 4572726f72 a1 78 c0"],
    ["a regular expression of msgpackr's own", "91 d4 78 00 92 a1 78 a0"],
    ["a set of msgpackr's own", "91 d4 73 00 91 01"],
    ["a typed array of msgpackr's own", "91 c7 03 74 01 ff"],
    ["a bigint of msgpackr's own", "91 d4 42 05"],
    ["a record definition, which msgpackr compiles", "91 d4 72 40 91 a1 61 01"],
    ["a record definition of two bytes", "91 d5 72 40 00 91 a1 61 01"],
    ["a bundle of strings", "91 d6 62 00 00 00 00"],
    ["an identity and a pointer to it", "92 d6 69 00000001 90 d6 70 00000001"],
    ["an extension of 16 bytes", "91 d8 01 00000000000000000000000000000000"],
    ["a timestamp of a wrong length", "91 c7 05 ff 0000000000"],
    ["an array of four billion elements", "dd ff ff ff ff 01"],
    ["a map of four billion entries", "df ff ff ff ff 01"],
    ["a string of four billion bytes", "91 db ff ff ff ff 61"],
    ["bytes of four billion", "91 c6 ff ff ff ff 61"],
    ["a map with a map as key", "91 81 81 01 02 03"],
  ])("is unreadable: %s", (_, hex) => {
    expect(tryRead("msgpack", bytesOf(hex))).toBeInstanceOf(UnreadableError);
  });

  it("is unreadable when nested beyond any stack", () => {
    expect(tryRead("msgpack", Buffer.alloc(1_000_000, 0x91))).toBeInstanceOf(UnreadableError);
    expect(tryRead("msgpack", Buffer.alloc(1_000_000, 0x81))).toBeInstanceOf(UnreadableError);
  });

  it("has no key of __proto__ that could become a prototype", () => {
    const [object] = codecOf("msgpack").decode(bytesOf("91 81 a9 5f5f70726f746f5f5f 81 a1 61 01")) as [object];
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
    expect(object).not.toHaveProperty("a");
  });
});

describe("hostile JSON", () => {
  it("is unreadable when nested beyond any stack", () => {
    expect(tryRead("json", Buffer.from("[".repeat(100_000) + "]".repeat(100_000)))).toBeInstanceOf(UnreadableError);
    expect(tryRead("json", Buffer.from(`${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`))).toBeInstanceOf(
      UnreadableError,
    );
  });

  it("is unreadable when it is not UTF-8, or starts with a byte order mark", () => {
    expect(tryRead("json", bytesOf("5b 22 ff 22 5d"))).toBeInstanceOf(UnreadableError);
    expect(tryRead("json", bytesOf("ef bb bf 5b 5d"))).toBeInstanceOf(UnreadableError);
  });
});
