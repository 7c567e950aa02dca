import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLogger, type LogOptions } from "../../src/cli/log.js";
import { printJson, roughly, showAge, showArguments } from "../../src/cli/show.js";
import { plain, table } from "../../src/cli/table.js";
import { createStyle, wantsColour } from "../../src/cli/terminal.js";
import { parseArgument, parseLabel } from "../../src/cli/values.js";

const style = createStyle(false);

function json(value: unknown): unknown {
  let printed = "";
  printJson({ style, errorStyle: style, print: (text) => (printed += text), printError() {} }, value);
  return JSON.parse(printed);
}

describe("tables", () => {
  it("line up, also with colours in them", () => {
    const red = createStyle(true).red("bad");
    const lines = table(
      [{ heading: "NAME" }, { heading: "N", align: "right" }],
      [
        ["a", "1"],
        [red, "10"],
      ],
    ).split("\n");
    expect(lines).toEqual(["NAME   N", "a      1", `${red}   10`]);
  });
});

describe("text of jobs", () => {
  it("cannot steer the terminal", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const codes = [...plain(`\u001b[2J${text}\u0007`)].map((character) => character.codePointAt(0) ?? 0);
        const controls = codes.filter((code) => (code < 32 && code !== 9 && code !== 10) || (code > 126 && code < 160));
        expect(controls).toEqual([]);
      }),
    );
  });

  it("is cut in a table", () => {
    expect(showArguments(["x".repeat(100), 2], 10)).toBe("'xxxxxxxx…");
    expect(showArguments([1, "two", { three: 3 }])).toBe("1, 'two', { three: 3 }");
  });
});

describe("JSON", () => {
  it("writes what JSON lacks as text", () => {
    const value = { big: 12n, bytes: Buffer.from("hi"), map: new Map([["a", 1]]), set: new Set([1]), at: new Date(0) };
    expect(json(value)).toEqual({ big: "12", bytes: "aGk=", map: { a: 1 }, set: [1], at: "1970-01-01T00:00:00.000Z" });
    expect(json(undefined)).toBeNull();
    expect(json(new TypeError("no"))).toMatchObject({ name: "TypeError", message: "no" });
  });
});

describe("times", () => {
  it.each([
    [0, "0ms"],
    [999, "999ms"],
    [1500, "1.5s"],
    [59_999, "59s"],
    [90_000, "1.5m"],
    [36 * 3_600_000, "1.5d"],
  ])("%d ms is %s", (ms, text) => {
    expect(roughly(ms)).toBe(text);
  });

  it("are told from now", () => {
    expect(showAge(0, 5000)).toBe("5s ago");
    expect(showAge(65_000, 5000)).toBe("in 1m");
  });
});

describe("arguments", () => {
  it.each([
    ["1", 1],
    ["-1.5", -1.5],
    ["true", true],
    ["null", null],
    ["two", "two"],
    ["a b", "a b"],
    ["", ""],
    ['"1"', "1"],
    ['{"a":[1]}', { a: [1] }],
  ])("%s", (text, value) => {
    expect(parseArgument(text)).toEqual(value);
  });

  it("that look like JSON must be JSON", () => {
    expect(() => parseArgument('{"a":1')).toThrow('the argument {"a":1 looks like JSON but is not');
  });

  it("labels gather", () => {
    expect(parseLabel("n=3", parseLabel("tenant=a=b"))).toEqual({ tenant: "a=b", n: 3 });
    expect(() => parseLabel("tenant")).toThrow("a name and a value");
  });
});

describe("colours", () => {
  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: "1" }, false],
    [true, { NO_COLOR: "" }, true],
    [false, { FORCE_COLOR: "1" }, true],
    [true, { FORCE_COLOR: "1", NO_COLOR: "1" }, false],
    [true, { TERM: "dumb" }, false],
  ])("terminal %s with %j: %s", (isTTY, env, expected) => {
    expect(wantsColour({ isTTY }, env)).toBe(expected);
  });
});

describe("log lines", () => {
  function logged(options: Partial<LogOptions>, error = new Error("redis://me:hunter2@host is down")): string {
    const written: string[] = [];
    const logger = createLogger({
      level: "info",
      format: "json",
      style,
      stacks: false,
      write: (text) => written.push(text),
      ...options,
    });
    logger.debug({}, "hidden");
    logger.info({ task: "add", duration: 3, nothing: undefined }, "job completed");
    logger.warn({ error, apiKey: "s3cret", note: 'token="abc"' }, "trouble");
    logger.flush();
    expect(written).toHaveLength(1);
    return written.join("");
  }

  it("are JSON documents", () => {
    const [first, second] = logged({})
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(first).toEqual({
      time: expect.any(String),
      level: "info",
      message: "job completed",
      task: "add",
      duration: 3,
    });
    expect(second?.error).toMatchObject({ name: "Error", message: "redis://me:***@host is down" });
    expect(second).toMatchObject({ apiKey: "***", note: "token=***" });
  });

  it("or text, one line each, with stacks only where asked for", () => {
    const lines = logged({ format: "pretty" }).trimEnd().split("\n");
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d INFO {2}job completed task=add duration=3$/);
    expect(lines[1]).toMatch(/WARN {2}trouble error="Error: redis:\/\/me:\*\*\*@host is down"/);
    expect(lines[1]).not.toMatch(/hunter2|s3cret/);
    expect(lines).toHaveLength(2);
    expect(logged({ format: "pretty", stacks: true })).toContain("\n    at ");
  });

  it("leave out what is below the level", () => {
    expect(logged({ level: "debug" }).split("\n")).toHaveLength(4);
    const written: string[] = [];
    const logger = createLogger({
      level: "silent",
      format: "json",
      style,
      stacks: false,
      write: (text) => written.push(text),
    });
    logger.error({}, "hidden");
    logger.flush();
    expect(written).toEqual([]);
  });
});
