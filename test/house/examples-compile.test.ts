import { describe, expect, it } from "vitest";
import { compileBlocks } from "./compile-examples.js";
import { allBlocks, jsdocBlocks, markdownBlocks } from "./example-blocks.js";

describe("examples in comments and documents", () => {
  it("compile", { timeout: 60_000 }, () => {
    const blocks = allBlocks();
    expect(blocks.length).toBeGreaterThan(5);
    expect(compileBlocks(blocks)).toEqual([]);
  });

  it("would not pass with a mistake in them", { timeout: 60_000 }, () => {
    const text = ["```ts", "import { Taskwright } from 'taskwright';", "const app: Taskwright = 1;", "```"].join("\n");
    expect(compileBlocks(markdownBlocks("x.md", text))).toEqual([
      expect.stringMatching(/^x\.md:1, line 2 of the example: Type 'number' is not assignable to type/),
    ]);
  });

  it("are found in JSDoc, and left alone where they say why", () => {
    const text = [
      "/**",
      " * @example",
      " * const a = 1;",
      " */",
      "export const a = 1;",
      "/**",
      " * @example",
      " * // not checked: shows an error",
      " * const b: string = 1;",
      " */",
      "export const b = 1;",
    ].join("\n");
    const blocks = jsdocBlocks("src/x.ts", text);
    expect(blocks.map((one) => [one.origin, one.code])).toEqual([["src/x.ts:2", "const a = 1;"]]);
  });
});
