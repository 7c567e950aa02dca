import { describe, expect, it } from "vitest";
import { generateId } from "../../src/job/id.js";
import { decodeId, encodeId, writeUuid } from "../../src/job/id-bytes.js";

const UUID = "01928b4e-7c1f-7a3b-9f21-5d0c8a6e4b17";

/** The UUID with another character at a place. */
function changed(place: number, character: string): string {
  return UUID.slice(0, place) + character + UUID.slice(place + 1);
}

describe("the bytes of an id", () => {
  it("are the 16 of a UUID", () => {
    expect(Buffer.from(encodeId(UUID)).toString("hex")).toBe(UUID.replaceAll("-", ""));
    const id = generateId(Date.now());
    expect(decodeId(Buffer.from(encodeId(id)))).toBe(id);
  });

  it("are those of the text behind a mark where any character makes it no UUID as we write them", () => {
    const ids = ["-", "g", "A", "é", "\u{1f600}", "\0", "/", ":", "`"].flatMap((character) =>
      Array.from(UUID, (own, place) => (own === character ? UUID.slice(1) : changed(place, character))),
    );
    for (const id of ["", "a", "x".repeat(15), "x".repeat(16), "x".repeat(36), UUID.toUpperCase(), ...ids]) {
      const bytes = Buffer.from(encodeId(id));
      expect(bytes.length).not.toBe(16);
      expect(decodeId(bytes)).toBe(id);
    }
  });

  it("are written where they belong", () => {
    const bytes = Buffer.alloc(20);
    expect(writeUuid(UUID, bytes, 2)).toBe(true);
    expect(bytes.toString("hex")).toBe(`0000${UUID.replaceAll("-", "")}0000`);
    expect(writeUuid("job-1", bytes, 2)).toBe(false);
  });
});
