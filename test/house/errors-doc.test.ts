import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as api from "taskwright";
import { describe, expect, it } from "vitest";
import { ROOT } from "./sources.js";

type ErrorClass = new (...args: unknown[]) => Error;

const text = readFileSync(join(ROOT, "docs", "errors.md"), "utf8");

/** The cells of the table row whose first cell is the class. */
function rowOf(name: string): string[] | undefined {
  const row = text.split("\n").find((line) => line.startsWith(`| \`${name}\` |`));
  return row?.split("|").map((cell) => cell.trim());
}

const classes = Object.entries(api as Readonly<Record<string, unknown>>)
  .filter(
    (entry): entry is [string, ErrorClass] => typeof entry[1] === "function" && entry[1].prototype instanceof Error,
  )
  .filter(([name]) => name !== "TaskwrightError");

describe("docs/errors.md", () => {
  it("finds the error classes of the public API", () => {
    expect(classes.map(([name]) => name)).toEqual(expect.arrayContaining(["BrokerError", "ValidationError", "Snooze"]));
  });

  it.each(classes)("describes %s as it is", (name, AnError) => {
    const row = rowOf(name);
    expect(row, `${name} has no row in a table`).toBeDefined();
    const error = new AnError("a", "b");
    if (!(error instanceof api.TaskwrightError)) return;
    const [, , code, retryable, outcome] = row ?? [];
    expect([code, retryable]).toEqual([`\`${error.code}\``, error.retryable ? "yes" : "no"]);
    expect(outcome).toContain(error.outcome);
  });

  it("describes no class that is not exported", () => {
    const described = [...text.matchAll(/^\| `([A-Z]\w+)` \|/gm)].map((match) => match[1]);
    expect(described.sort()).toEqual(classes.map(([name]) => name).sort());
  });
});
