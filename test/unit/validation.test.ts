import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { ConfigError, ValidationError } from "../../src/job/errors.js";
import { validate, validateSync } from "../../src/job/validation.js";

const what = 'the arguments of task "signUp"';
const libraries: [string, StandardSchemaV1][] = [
  ["zod", z.tuple([z.object({ email: z.email(), age: z.number() })])],
  ["valibot", v.tuple([v.object({ email: v.pipe(v.string(), v.email()), age: v.number() })])],
  ["arktype", type([{ email: "string.email", age: "number" }])],
];

describe.each(libraries)("%s", (_, schema) => {
  it("accepts what fits", () => {
    const value = [{ email: "ada@example.com", age: 36 }];
    expect(validate(schema, value, what)).toEqual(value);
    expect(validateSync(schema, value, what)).toEqual(value);
  });

  it("names what does not fit, and where", () => {
    const run = () => validate(schema, [{ email: "ada", age: "36" }], what);
    expect(run).toThrow(ValidationError);
    expect(run).toThrow(
      expect.objectContaining({
        code: "validation",
        message: expect.stringMatching(
          /^validation failed for the arguments of task "signUp": 0\.(age|email): .+; 0\.(age|email): .+$/,
        ),
        issues: expect.arrayContaining([
          { path: "0.email", message: expect.any(String) },
          { path: "0.age", message: expect.any(String) },
        ]),
      }),
    );
    expect(() => validateSync(schema, [{}], what)).toThrow(ValidationError);
  });
});

describe("validate", () => {
  it("answers what the schema converts to, typed", async () => {
    const schema = z.string().transform(Number);
    expect(validateSync(schema, "5", what)).toBe(5);
    expectTypeOf(validateSync(schema, "5", what)).toEqualTypeOf<number>();
    expectTypeOf(await validate(schema, "5", what)).toEqualTypeOf<number>();
  });

  it("answers at once where the schema does, and with a promise where it does not", async () => {
    const slow = z.string().refine(async (text) => text.length > 2, "too short");
    expect(validate(z.string(), "ab", what)).toBe("ab");
    await expect(validate(slow, "abc", what)).resolves.toBe("abc");
    await expect(validate(slow, "ab", what)).rejects.toThrow(
      new ValidationError(`validation failed for ${what}: too short`, [{ message: "too short", path: "" }]),
    );
  });

  it("refuses an asynchronous schema where there is no waiting", () => {
    const slow = v.pipeAsync(
      v.string(),
      v.checkAsync(async () => Promise.reject(new Error("late"))),
    );
    expect(() => validateSync(slow, "ab", what)).toThrow(ConfigError);
  });

  it("joins a path of any segments and keeps the message in one line, with three issues at most", () => {
    const issues = [
      { message: "first\n  line", path: ["user", { key: 0 }, Symbol("tag")] },
      { message: "value" },
      { message: "third", path: [] },
      { message: "fourth", path: ["d"] },
      { message: "fifth" },
    ];
    const schema: StandardSchemaV1 = { "~standard": { version: 1, vendor: "test", validate: () => ({ issues }) } };
    expect(() => validate(schema, 1, "it")).toThrow(
      "validation failed for it: user.0.Symbol(tag): first line; value; third; and 2 more",
    );
  });
});
