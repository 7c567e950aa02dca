import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { buildCommandLine, FIXTURES, Workplace } from "./command-line.js";

beforeAll(buildCommandLine, 120_000);

const APP = ["--app", join(FIXTURES, "migrating.ts")];

let place: Workplace;
let ledger: string;
beforeEach(async () => {
  place = await Workplace.create();
  ledger = join(place.folder, "ledger.json");
});
afterEach(() => place.remove());

const run = (...args: string[]) => place.run([...args, ...APP], { MIGRATIONS: ledger });

describe("migrate", () => {
  it("lists what is missing, applies it once, and then has nothing to do", async () => {
    const missing = `broker migrating:${ledger}: missing\n  1 tables\n  2 outcomes\n`;
    expect(await run("migrate", "--dry-run")).toEqual({ code: 0, stdout: missing, stderr: "" });
    expect(await run("migrate", "--dry-run")).toMatchObject({ stdout: missing });
    expect(await run("migrate")).toMatchObject({ code: 0, stdout: missing.replace("missing", "applied") });
    const upToDate = `broker migrating:${ledger}: up to date (2 of 2 migrations)\n`;
    expect(await run("migrate")).toMatchObject({ code: 0, stdout: upToDate });
    expect(await run("migrate", "--dry-run")).toMatchObject({ code: 0, stdout: upToDate });
  });

  it("writes JSON for scripts", async () => {
    await writeFile(ledger, '{ "1": 5 }');
    const { stdout } = await run("migrate", "--json");
    const names = { role: "broker", driver: "migrating", location: `migrating:${ledger}`, known: 2 };
    expect(JSON.parse(stdout)).toEqual([{ ...names, applied: [{ number: 2, name: "outcomes" }], missing: [] }]);
  });

  it("prints scripts and asks no server", async () => {
    await writeFile(ledger, "this would not be read");
    const sql = "CREATE TABLE taskwright_jobs (id INT);\n\nCREATE TABLE taskwright_outcomes (id INT);\n";
    expect(await run("migrate", "--print")).toEqual({ code: 0, stdout: sql, stderr: "" });
    expect(JSON.parse((await run("migrate", "--print", "--json")).stdout)).toMatchObject([
      { driver: "migrating", migrations: [{ number: 1, name: "tables" }, { number: 2 }] },
    ]);
  });

  it("says where there is nothing to migrate", async () => {
    const nothing = "the sqlite driver has no migrations: there is nothing to apply\n";
    expect(await place.run(["migrate"])).toEqual({ code: 0, stdout: `broker: ${nothing}`, stderr: "" });
    expect(await place.run(["migrate", "--print"])).toEqual({ code: 0, stdout: "", stderr: nothing });
  });

  it("either prints or tries", async () => {
    expect(await run("migrate", "--print", "--dry-run")).toMatchObject({ code: 2 });
  });

  it("ends with 5 and one line where the schema is not the one it needs", async () => {
    await writeFile(ledger, '{ "1": 1, "2": 2, "3": 3 }');
    const newer = { code: 5, stdout: "", stderr: "error: the schema is newer than this version\n" };
    expect(await run("migrate")).toEqual(newer);
    expect(await run("migrate", "--dry-run")).toEqual(newer);
    await writeFile(ledger, "{}");
    expect(await run("queues")).toEqual({
      code: 5,
      stdout: "",
      stderr: 'error: the tables for jobs are missing or old: run "taskwright migrate"\n',
    });
  });
});

describe("doctor", () => {
  it("shows the state of the schema", async () => {
    await writeFile(ledger, '{ "1": 5 }');
    const lacking = await run("doctor");
    expect(lacking.code).toBe(1);
    expect(lacking.stdout).toMatch(
      /schema +problem +the broker at migrating:\S+ lacks 1 of 2 migrations \(2 outcomes\): run "taskwright migrate"/,
    );
    expect(lacking.stdout).toContain("1 problem to solve.");
    await run("migrate");
    const complete = await run("doctor");
    expect(complete.code).toBe(0);
    expect(complete.stdout).toMatch(/schema +ok +2 of 2 migrations at migrating:/);
  });

  it("shows a schema that is newer", async () => {
    await writeFile(ledger, '{ "1": 1, "2": 2, "3": 3 }');
    const { code, stdout } = await run("doctor");
    expect(code).toBe(1);
    expect(stdout).toMatch(/schema +problem +the schema is newer than this version/);
  });
});
