import fc from "fast-check";
import { expect, test } from "vitest";
import { bytes, encodeId, id, integer, text } from "../../../src/drivers/sqlite/cells.js";
import { CLAIMS, fromToken, toNumber, toToken } from "../../../src/drivers/sqlite/lease-token.js";
import { decodeHeaders, encodeHeaders } from "../../../src/job/headers.js";

const anyId = fc.oneof(
  fc.uuid(),
  fc.uuid().map((uuid) => uuid.toUpperCase()),
  fc.string({ minLength: 1 }),
);

test("every id is read as it was written, and a UUID takes 16 bytes", () => {
  fc.assert(
    fc.property(anyId, (value) => {
      expect(id({ id: encodeId(value) })).toBe(value);
    }),
  );
  expect(encodeId("01928b4e-7c1f-7a3b-9f21-5d0c8a6e4b17")).toHaveLength(16);
});

test("two ids are never stored as one", () => {
  fc.assert(
    fc.property(anyId, anyId, (a, b) => {
      fc.pre(a !== b);
      expect(encodeId(a)).not.toEqual(encodeId(b));
    }),
  );
});

test("a token gives back its parts, and no other token does", () => {
  const seq = fc.integer({ min: 0, max: 2 ** 43 - 1 });
  const claims = fc.integer({ min: 0, max: CLAIMS - 1 });
  fc.assert(
    fc.property(seq, claims, (seq, claims) => {
      const token = toToken({ seq, claims });
      expect(Number.isSafeInteger(token)).toBe(true);
      expect(fromToken(token)).toEqual({ seq, claims });
    }),
  );
  expect([toNumber("a token"), toNumber(Number.NaN), toNumber(2 ** 60)]).toEqual([-1, -1, -1]);
});

test("blobs of every client are bytes, and a column of another type is an error", () => {
  const raw = new Uint8Array([1, 2, 3]);
  for (const blob of [raw, Buffer.from(raw), raw.buffer]) {
    const read = bytes({ blob }, "blob");
    expect(read.constructor).toBe(Uint8Array);
    expect([...read]).toEqual([1, 2, 3]);
  }
  expect(integer({ n: 5n }, "n")).toBe(5);
  expect(() => text({ n: 5 }, "n")).toThrow(/unexpected number in column n/);
  expect(() => bytes({ blob: null }, "blob")).toThrow(/unexpected null in column blob/);
});

test("headers keep bytes and dates", () => {
  const headers = { lang: "py", at: new Date(0), raw: Buffer.from([1]), nested: { retries: 0, eta: null } };
  expect(decodeHeaders(encodeHeaders(headers) ?? undefined).headers).toEqual(headers);
  expect(encodeHeaders(undefined)).toBeUndefined();
  expect(decodeHeaders(undefined)).toEqual({});
});
