import { describe, expect, test } from "vitest";
import { fromUrl, sqlite } from "../../../src/drivers/sqlite/index.js";
import { parseUrl, resolveOptions } from "../../../src/drivers/sqlite/options.js";
import { ConfigError } from "../../../src/job/errors.js";

describe("sqlite URLs", () => {
  test.each([
    ["sqlite:./taskwright.db", "./taskwright.db"],
    ["sqlite:jobs.db", "jobs.db"],
    ["sqlite:///var/lib/jobs.db", "/var/lib/jobs.db"],
    ["sqlite:/var/lib/jobs.db", "/var/lib/jobs.db"],
    ["sqlite://jobs.db", "jobs.db"],
    ["sqlite://./data/jobs.db", "./data/jobs.db"],
    ["sqlite:", "./taskwright.db"],
    ["sqlite:./my%20jobs.db", "./my jobs.db"],
  ])("%s is the file %s", (url, path) => {
    expect(resolveOptions(parseUrl(url)).path).toBe(path);
  });

  test("carry options", () => {
    const settings = resolveOptions(parseUrl("sqlite:./a.db?synchronous=normal&busyTimeout=2s&client=libsql"));
    expect(settings).toMatchObject({ path: "./a.db", synchronous: "NORMAL", busyTimeout: 2000, client: "libsql" });
  });

  test.each([
    ["sqlite:./a.db?sychronous=NORMAL", /unknown option "sychronous" in the sqlite URL: did you mean "synchronous"\?/],
    ["sqlite:./a.db?busytimeout=5s", /did you mean "busyTimeout"\?/],
    ["sqlite:./a.db?path=b", /unknown option "path"/],
    ["sqlite:./a.db?synchronous=OFF", /synchronous cannot be "OFF"/],
    ["sqlite:./a.db?busyTimeout=soon", /busyTimeout is "soon", which is not a duration/],
    ["sqlite:./a.db?client=sqlite3", /client cannot be "sqlite3"/],
    ["sqlite::memory:", /use the memory driver \(memory:\)/],
    ["sqlite:file:a.db", /not a URI/],
    ["sqlite:./100%.db", /write a percent sign as %25/],
    ["postgres:./a.db", /is not a sqlite URL/],
  ])("%s is refused", (url, message) => {
    expect(() => fromUrl(url)).toThrow(ConfigError);
    expect(() => fromUrl(url)).toThrow(message);
  });
});

describe("sqlite options", () => {
  test("have defaults", () => {
    expect(resolveOptions({})).toMatchObject({ path: "./taskwright.db", synchronous: "FULL", busyTimeout: 5000 });
    expect(sqlite().location).toBe("sqlite:./taskwright.db");
  });

  test("that do not exist are refused, with the nearest that does", () => {
    expect(() => sqlite({ pth: "a.db" } as never)).toThrow(/unknown option "pth" in sqlite\(\): did you mean "path"\?/);
    expect(() => sqlite("")).toThrow(ConfigError);
    expect(() => sqlite(":memory:")).toThrow(/memory driver/);
  });
});
