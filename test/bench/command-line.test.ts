import { describe, expect, it } from "vitest";
import { parseCommandLine } from "../../bench/command-line.js";

function trials(argv: string[]): string[] {
  const command = parseCommandLine(argv);
  return command === "help" ? [] : command.trials.map(({ name }) => name);
}

describe("the command line of the benchmark", () => {
  it("measures a driver beside all of its peers unless one is named", () => {
    expect(parseCommandLine(["sqlite"])).toMatchObject({ driver: { name: "sqlite" }, peers: [{ name: "plainjob" }] });
    expect(parseCommandLine(["memory"])).toMatchObject({ driver: { name: "memory" }, peers: [], json: false });
  });

  it("takes flags before and after the driver, with a blank or an equals sign", () => {
    const expected = { driver: { name: "sqlite" }, peers: [{ name: "plainjob" }], jobs: 500, json: true };
    expect(parseCommandLine(["--json", "--peer=plainjob", "sqlite", "--jobs", "500"])).toMatchObject(expected);
  });

  it("measures all that does not take long unless some are named", () => {
    const usual = ["enqueue", "enqueue-bulk", "process", "process-with-results", "latency"];
    expect(trials(["redis"])).toEqual(usual);
    expect(trials(["redis", "--measure", "process,process-4-workers,backlog"])).toEqual([
      "process",
      "process-4-workers",
      "backlog",
    ]);
  });

  it("knows the peers of rabbitmq, of which one is no package and one has the same queue as ours, and what is measured beside them", () => {
    expect(parseCommandLine(["rabbitmq"])).toMatchObject({
      jobs: 50_000,
      peers: [{ name: "amqplib" }, { name: "amqplib-priorities" }, { name: "celery" }],
    });
    expect(trials(["rabbitmq"])).toEqual(["enqueue", "enqueue-50k", "enqueue-bulk", "process"]);
    expect(trials(["rabbitmq", "--peer", "celery", "--measure", "enqueue-50k"])).toEqual(["enqueue-50k"]);
  });

  it.each([
    [["sqlit"], 'unknown driver "sqlit": did you mean "sqlite"?'],
    [[], "which driver? There are memory, sqlite, redis, postgres, mysql and rabbitmq"],
    [["sqlite", "memory"], 'one driver at a time: "memory" is too much'],
    [["sqlite", "--peer", "plain-jobs"], 'sqlite has no peer "plain-jobs": did you mean "plainjob"?'],
    [["sqlite", "--peer", "bullmq"], 'sqlite has no peer "bullmq"; there is only plainjob'],
    [["memory", "--peer", "plainjob"], "memory has no peer: leave --peer away"],
    [["sqlite", "--per", "plainjob"], 'unknown flag "--per": did you mean "--peer"?'],
    [["redis", "--measure"], "--measure needs a value"],
    [["redis", "--measure", "proces"], 'unknown measure "proces": did you mean "process"?'],
    [["redis", "--measure", "process,"], 'unknown measure ""'],
    [["sqlite", "--measure", "backlog"], 'unknown measure "backlog"'],
    [["sqlite", "--jobs"], "--jobs needs a value"],
    [["sqlite", "--jobs", "many"], '--jobs is a whole number of at least 1, not "many"'],
    [["sqlite", "--json=yes"], "--json takes no value"],
  ])("refuses %j in one line that says what is right", (argv, message) => {
    expect(() => parseCommandLine(argv)).toThrow(message);
  });
});
