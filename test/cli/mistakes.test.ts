import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { buildCommandLine, FIXTURES, TASKS, Workplace } from "./command-line.js";

beforeAll(buildCommandLine, 120_000);

let place: Workplace;
beforeEach(async () => {
  place = await Workplace.create();
});
afterEach(() => place.remove());

const fixture = (name: string) => join(FIXTURES, name);

/** Every mistake is one line that says what to do, on stderr, with an exit code that means something. */
describe("a mistake", () => {
  it.each<[name: string, args: string[], code: number, message: string | RegExp]>([
    ["no module", ["worker"], 2, 'which tasks? Name a module, as in "taskwright worker tasks.ts", or use --discover'],
    ["a wrong module", ["worker", fixture("taks.ts")], 4, /there is no module .*taks\.ts: did you mean "tasks\.ts"\?/],
    ["a module without its extension", ["worker", fixture("tasks")], 4, /did you mean ".*fixtures\/tasks\.ts"\?/],
    ["a folder", ["worker", FIXTURES], 4, /is a folder: name a module in it, or use --discover/],
    ["a wrong export", ["worker", `${TASKS}#ap`], 4, /unknown export "ap" in .*tasks\.ts: did you mean "app"\?/],
    [
      "an export that is no app",
      ["worker", `${TASKS}#add`],
      4,
      /the export "add" of .*tasks\.ts is not a Taskwright app/,
    ],
    [
      "no app",
      ["worker", fixture("no-app.ts")],
      4,
      /there is no app in .*no-app\.ts, which exports answer: add "export const app/,
    ],
    ["two apps", ["worker", fixture("two-apps.ts")], 4, /several apps: choose one, as in .*#first or .*#second/],
    [
      "two modules with apps",
      ["worker", TASKS, fixture("other.ts")],
      4,
      /several apps.*tasks\.ts#app or .*other\.ts#default/,
    ],
    [
      "tasks without their app",
      ["tasks", fixture("mixed/one.tasks.ts")],
      4,
      /exports tasks but not their app: name the module/,
    ],
    ["a module that throws", ["worker", fixture("broken.ts")], 4, /broken\.ts failed to load: no database today/],
    [
      "a wrong setting in code",
      ["tasks", fixture("misconfigured.ts")],
      2,
      /unknown setting "worker\.concurency" .*did you mean "worker\.concurrency"\?/,
    ],
    [
      "nothing to discover",
      ["worker", "--discover", "nothing/**/*.ts"],
      4,
      /--discover "nothing\/\*\*\/\*\.ts" matches no file/,
    ],
    [
      "a wrong flag",
      ["worker", TASKS, "--concurency", "5"],
      2,
      "unknown option '--concurency': did you mean --concurrency?",
    ],
    [
      "a wrong value",
      ["worker", TASKS, "--concurrency", "lots"],
      2,
      'worker.concurrency must be a whole number of at least 1, not "lots" (from --concurrency)',
    ],
    ["a wrong command", ["wroker"], 2, "unknown command 'wroker': did you mean worker?"],
    ["no command at all like it", ["sing"], 2, `unknown command 'sing': see "taskwright --help"`],
    ["a wrong subcommand", ["dead", "rety"], 2, 'unknown command "rety" in taskwright dead: did you mean "retry"?'],
    ["a wrong task to run", ["run", "ad", "--app", TASKS], 4, 'unknown task "ad": did you mean "add"?'],
    [
      "a wrong task to enqueue",
      ["enqueue", "echo", "--app", TASKS],
      4,
      'unknown task "echo": did you mean "mail.echo"?',
    ],
    ["a task without its module", ["run", "add", "1"], 2, 'Add its module, as in "taskwright run add --app tasks.ts"'],
    ["bad JSON in an argument", ["enqueue", "add", '{"a": 1'], 2, 'the argument {"a": 1 looks like JSON but is not'],
    ["bad JSON in --args", ["enqueue", "add", "--args", "[1,"], 2, "--args is not valid JSON"],
    ["no list in --args", ["enqueue", "add", "--args", "{}"], 2, "It must be a JSON list"],
    ["bad JSON in --kwargs", ["enqueue", "add", "--kwargs", "[1]"], 2, "It must be a JSON object"],
    ["a wrong label", ["enqueue", "add", "--label", "x"], 2, "such as tenant=a"],
    ["a wrong time", ["enqueue", "add", "--at", "soon"], 2, "such as 2027-01-01T08:00:00Z"],
    [
      "a wrong duration",
      ["enqueue", "add", "--delay", "soon"],
      2,
      /delay of task "add" is "soon", which is not a duration/,
    ],
    [
      "a wrong priority",
      ["enqueue", "add", "--priority", "12"],
      2,
      /priority of task "add" must be a whole number from 0 to 9, not 12/,
    ],
    [
      "an unknown driver",
      ["jobs", "--broker", "sqlit:./x.db"],
      2,
      'there is no driver for "sqlit:" in sqlit:./x.db: did you mean "sqlite"?',
    ],
    [
      "a broker that is no URL",
      ["jobs", "--broker", "localhost"],
      2,
      /broker must be a URL such as .*, not "localhost" \(from --broker\)/,
    ],
    [
      "a broker in a folder that is not there",
      ["worker", TASKS, "--broker", "sqlite:/nonexistent/folder/jobs.db"],
      2,
      /\/nonexistent\/folder does not exist/,
    ],
    ["an unreachable broker", ["worker", fixture("unreachable.ts")], 3, /me:\*\*\*@localhost:1: .*ECONNREFUSED/],
    ["an unreachable broker for others", ["queues", "--app", fixture("unreachable.ts")], 3, /ECONNREFUSED/],
    ["an unknown job", ["jobs", "show", "nope"], 4, "there is no job nope"],
    ["an unknown dead letter", ["dead", "retry", "nope"], 4, "there is no dead letter nope"],
    ["no dead letters named", ["dead", "discard"], 2, "Name their ids, or --all"],
    ["an empty queue to purge", ["purge", "nope", "--yes"], 4, 'there are no jobs in a queue "nope"'],
    ["a wrong state", ["jobs", "--state", "ded"], 2, "Allowed choices are scheduled, waiting, active, retrying, dead"],
    ["a missing configuration file", ["jobs", "--config", "nope.json"], 2, "there is no configuration file nope.json"],
  ])("%s", async (_name, args, code, message) => {
    const ran = await place.run(args);
    expect(ran.stderr).toMatch(message);
    expect(ran.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(ran.stderr).toMatch(/^error: /);
    expect(ran.stdout).not.toContain("error");
    expect(ran.code).toBe(code);
  });

  it("shows its stack with --debug", async () => {
    const { stderr, code } = await place.run(["worker", fixture("broken.ts"), "--debug"]);
    expect(stderr).toMatch(/caused by Error: no database today\n +at .*broken\.ts/);
    expect(code).toBe(4);
  });

  it("in the environment or the file names where it is", async () => {
    const env = await place.run(["jobs"], { TASKWRIGHT_LEASE: "soon" });
    expect(env).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/worker\.lease is "soon".*\(from TASKWRIGHT_LEASE\)/),
    });
    await writeFile(join(place.folder, "taskwright.config.json"), '{ "brokr": "memory:" }');
    const file = await place.run(["jobs"]);
    expect(file).toMatchObject({ code: 2 });
    expect(file.stderr).toBe('error: unknown setting "brokr" in taskwright.config.json: did you mean "broker"?\n');
  });

  it("never shows a password", async () => {
    const { stderr } = await place.run(["jobs", "--broker", "redsi://me:hunter2@localhost", "--debug"]);
    expect(stderr).toContain("redsi://me:***@localhost");
    expect(stderr).not.toContain("hunter2");
  });
});

describe("help", () => {
  it("lists commands, examples and exit codes", async () => {
    const { code, stdout } = await place.run(["--help"]);
    expect(code).toBe(0);
    for (const word of ["worker", "doctor", "Examples:", "Exit codes:", "--broker", "TASKWRIGHT_BROKER"]) {
      expect(stdout).toContain(word);
    }
  });

  it.each([
    ["worker"],
    ["tasks"],
    ["run"],
    ["enqueue"],
    ["jobs"],
    ["queues"],
    ["dead"],
    ["purge"],
    ["migrate"],
    ["doctor"],
  ])("of %s has examples", async (command) => {
    const { code, stdout } = await place.run([command, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`$ taskwright ${command}`);
  });

  it("of the worker lists every setting of workers", async () => {
    const { stdout } = await place.run(["worker", "--help"]);
    for (const flag of ["--queues", "--order", "--poison-limit", "--grace", "--default-result-ttl", "--log-format"]) {
      expect(stdout).toContain(flag);
    }
  });

  it("comes for no command at all, as a mistake", async () => {
    const { code, stderr } = await place.run([]);
    expect(code).toBe(2);
    expect(stderr).toContain("Usage: taskwright");
  });

  it("the version is the package's", async () => {
    const { code, stdout } = await place.run(["--version"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
