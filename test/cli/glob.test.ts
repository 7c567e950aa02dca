import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findFiles } from "../../src/cli/glob.js";

const FILES = [
  "a.tasks.ts",
  "a.ts",
  "src/b.tasks.ts",
  "src/deep/er/c.tasks.js",
  "src/deep/d+e (1).ts",
  "src/node_modules/x/x.tasks.ts",
  "src/.hidden/y.tasks.ts",
];

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "taskwright-glob-"));
  for (const file of FILES) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), "");
  }
});
afterAll(() => rm(root, { recursive: true }));

describe("findFiles", () => {
  it.each([
    ["**/*.tasks.ts", ["a.tasks.ts", "src/b.tasks.ts"]],
    ["./**/*.tasks.{ts,js}", ["a.tasks.ts", "src/b.tasks.ts", "src/deep/er/c.tasks.js"]],
    ["*.ts", ["a.tasks.ts", "a.ts"]],
    ["?.ts", ["a.ts"]],
    ["src/**", ["src/b.tasks.ts", "src/deep/d+e (1).ts", "src/deep/er/c.tasks.js"]],
    ["src/*/*.ts", ["src/deep/d+e (1).ts"]],
    ["src/deep/d+e (1).ts", ["src/deep/d+e (1).ts"]],
    ["a.ts", ["a.ts"]],
    ["nothing/**/*.ts", []],
  ])("%s", async (pattern, expected) => {
    const found = await findFiles(pattern, root);
    expect(found.map((file) => relative(root, file))).toEqual(expected);
  });

  it("takes absolute patterns, and those that lead upwards", async () => {
    expect(await findFiles(`${root}/src/*.ts`, "/")).toEqual([join(root, "src/b.tasks.ts")]);
    expect(await findFiles("../*.ts", join(root, "src"))).toEqual([join(root, "a.tasks.ts"), join(root, "a.ts")]);
  });
});
