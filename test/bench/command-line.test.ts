import { describe, expect, it } from "vitest";
import { parseCommandLine } from "../../bench/command-line.js";

describe("the command line of the benchmark", () => {
  it("measures a driver beside all of its peers unless one is named", () => {
    expect(parseCommandLine(["sqlite"])).toMatchObject({ driver: { name: "sqlite" }, peers: [{ name: "plainjob" }] });
    expect(parseCommandLine(["memory"])).toMatchObject({ driver: { name: "memory" }, peers: [], json: false });
  });

  it("takes flags before and after the driver, with a blank or an equals sign", () => {
    const expected = { driver: { name: "sqlite" }, peers: [{ name: "plainjob" }], jobs: 500, json: true };
    expect(parseCommandLine(["--json", "--peer=plainjob", "sqlite", "--jobs", "500"])).toMatchObject(expected);
  });

  it.each([
    [["sqlit"], 'unknown driver "sqlit": did you mean "sqlite"?'],
    [[], "which driver? There are memory, sqlite and redis"],
    [["sqlite", "memory"], 'one driver at a time: "memory" is too much'],
    [["sqlite", "--peer", "plain-jobs"], 'sqlite has no peer "plain-jobs": did you mean "plainjob"?'],
    [["sqlite", "--peer", "bullmq"], 'sqlite has no peer "bullmq"; there is only plainjob'],
    [["memory", "--peer", "plainjob"], "memory has no peer: leave --peer away"],
    [["sqlite", "--per", "plainjob"], 'unknown flag "--per": did you mean "--peer"?'],
    [["sqlite", "--jobs"], "--jobs needs a value"],
    [["sqlite", "--jobs", "many"], '--jobs is a whole number of at least 1, not "many"'],
    [["sqlite", "--json=yes"], "--json takes no value"],
  ])("refuses %j in one line that says what is right", (argv, message) => {
    expect(() => parseCommandLine(argv)).toThrow(message);
  });
});
