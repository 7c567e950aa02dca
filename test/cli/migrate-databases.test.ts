import { createConnection } from "mysql2/promise";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startMysql } from "../support/mysql/server.js";
import { startPostgres } from "../support/postgres/server.js";
import type { PrivateServer } from "../support/server.js";
import { buildCommandLine, TASKS, Workplace } from "./command-line.js";

beforeAll(buildCommandLine, 120_000);

interface Database {
  start(): Promise<PrivateServer>;
  /** An empty place on the server. */
  place(url: string, number: number): string;
  /** Runs a script as a tool for migrations would. */
  paste(url: string, script: string): Promise<void>;
}

const DATABASES: Readonly<Record<string, Database>> = {
  postgres: {
    start: startPostgres,
    place: (url, number) => `${url}?schema=cli_${number}`,
    async paste(url, script) {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(script).finally(() => client.end());
    },
  },
  mysql: {
    start: startMysql,
    place: (url, number) => `${url}?tablePrefix=cli_${number}_`,
    async paste(url, script) {
      const connection = await createConnection({ uri: url, multipleStatements: true });
      await connection.query(script).finally(() => connection.end());
    },
  },
};

describe.each(Object.entries(DATABASES))("migrate on %s", (name, database) => {
  let server: PrivateServer;
  let place: Workplace;
  let broker: string;
  let places = 0;
  beforeAll(async () => {
    server = await database.start();
  });
  afterAll(() => server?.remove());
  beforeEach(async () => {
    place = await Workplace.create();
    places += 1;
    broker = database.place(server.url, places);
  });
  afterEach(() => place.remove());

  const run = (...args: string[]) => place.run(args, { TASKWRIGHT_BROKER: broker });

  it("makes the tables, after which jobs run", async () => {
    const before = await run("enqueue", "add", "2", "3", "--app", TASKS);
    expect(before).toMatchObject({ code: 5, stdout: "" });
    expect(before.stderr).toMatch(/^error: .*taskwright migrate/m);
    const dry = await run("migrate", "--dry-run");
    expect(dry).toMatchObject({ code: 0, stderr: "" });
    expect(dry.stdout).toMatch(new RegExp(`^broker ${name}.*: missing\\n  1 \\w+\\n`));
    const applied = await run("migrate");
    expect(applied).toMatchObject({ code: 0, stdout: dry.stdout.replace(": missing", ": applied") });
    expect(await run("enqueue", "add", "2", "3", "--app", TASKS)).toMatchObject({ code: 0 });
    expect((await run("doctor")).stdout).toMatch(/schema +ok +(\d+) of \1 migrations/);
  }, 60_000);

  it("prints what can be pasted into another tool, without a server", async () => {
    const [, rest = ""] = broker.split("@");
    const nobody = broker.replace(/:\d+\//, ":1/");
    expect(rest).not.toBe("");
    const { code, stdout, stderr } = await place.run(["migrate", "--print"], { TASKWRIGHT_BROKER: nobody });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    await database.paste(server.url, stdout);
    expect((await run("migrate")).stdout).toMatch(/: up to date/);
    expect(await run("queues")).toMatchObject({ code: 0 });
  });

  it("does it once where two processes start at the same time", async () => {
    const both = await Promise.all([run("migrate"), run("migrate")]);
    expect(both.map(({ code, stderr }) => ({ code, stderr }))).toEqual(Array(2).fill({ code: 0, stderr: "" }));
    const applied = both.flatMap(({ stdout }) => stdout.match(/^ {2}\d+ \w+$/gm) ?? []);
    const known = (await run("migrate", "--print")).stdout.match(/INSERT INTO \S+migrations/g) ?? [];
    expect(new Set(applied).size).toBe(known.length);
    expect(applied).toHaveLength(known.length);
    expect((await run("doctor")).stdout).toMatch(/schema +ok/);
  }, 60_000);

  it("ends with 3 where nobody answers", async () => {
    const nobody = broker.replace(/:\d+\//, ":1/");
    const { code, stderr } = await place.run(["migrate"], { TASKWRIGHT_BROKER: nobody });
    expect(code).toBe(3);
    expect(stderr).toMatch(/^error: [^\n]+\n$/);
  });
});
