import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { resultCode, toTaskwrightError } from "../../../src/drivers/sqlite/errors.js";
import { MissingDependencyError } from "../../../src/job/errors.js";
import { CLIENTS, connect, openClient, temporaryFile } from "./support.js";

test("there is at least one client here, or nothing is tested", () => {
  expect(CLIENTS.length).toBeGreaterThan(0);
});

describe.each(CLIENTS)("the client %s", (name) => {
  test("binds numbered parameters in any order, and again", () => {
    const client = openClient(name, temporaryFile());
    const [row] = client.prepare("SELECT ?2 AS a, ?1 AS b, ?2 AS c").all(["one", "two"]);
    expect(row).toMatchObject({ a: "two", b: "one", c: "two" });
  });

  test("keeps bytes, also of a view into a larger buffer, and none", () => {
    const client = openClient(name, temporaryFile());
    const view = new Uint8Array([1, 2, 3, 4, 5]).subarray(2, 4);
    const [row] = client.prepare("SELECT hex(?) AS some, length(?) AS none").all([view, new Uint8Array(0)]);
    expect(row).toMatchObject({ some: "0304", none: 0 });
  });

  test("commits after a statement that answers rows and one that failed", () => {
    const client = openClient(name, temporaryFile());
    client.exec("CREATE TABLE t (x INTEGER PRIMARY KEY)");
    const insert = client.prepare("INSERT INTO t VALUES (?) RETURNING x");
    client.exec("BEGIN IMMEDIATE");
    expect(insert.all([1])).toMatchObject([{ x: 1 }]);
    expect(() => insert.all([1])).toThrow();
    expect(client.inTransaction).toBe(true);
    client.exec("COMMIT");
    expect(client.inTransaction).toBe(false);
  });

  test("opens the same library on the same file again", () => {
    const path = temporaryFile();
    const client = openClient(name, path);
    client.exec("CREATE TABLE t (x)");
    const second = client.open(path);
    expect(second.name).toBe(name);
    expect(second.prepare("INSERT INTO t VALUES (?)").run([1])).toBe(1);
    second.close();
  });

  test("names its errors by SQLite's codes", () => {
    const path = temporaryFile();
    const client = openClient(name, path);
    client.exec("CREATE TABLE t (x UNIQUE); INSERT INTO t VALUES (1); BEGIN IMMEDIATE");
    const other = openClient(name, path);
    other.exec("PRAGMA busy_timeout = 0");
    expect(resultCode(thrownBy(() => other.exec("BEGIN IMMEDIATE")))).toBe("SQLITE_BUSY");
    expect(resultCode(thrownBy(() => client.exec("INSERT INTO t VALUES (1)")))).toBe("SQLITE_ERROR");
    expect(resultCode(new Error("something else"))).toBeUndefined();
  });

  test("tells what it is", async () => {
    const { server } = await (await connect({ path: temporaryFile(), client: name })).ping();
    expect(server).toMatch(/^SQLite 3\.\d+\.\d+ \(.+\)$/);
    expect(server).toContain(`(${name})`);
  });
});

test("an unknown error keeps its message and its cause, and is not retried", () => {
  const cause = new Error("no such column: x");
  const error = toTaskwrightError(cause, "sqlite:a.db");
  expect(error).toMatchObject({ message: "sqlite:a.db: no such column: x", retryable: false, outcome: "none", cause });
});

test.skipIf(CLIENTS.includes("better-sqlite3"))(
  "a missing client is named with its command (needs it missing)",
  async () => {
    const error = await connect({ path: temporaryFile(), client: "better-sqlite3" }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(MissingDependencyError);
    expect(error.message).toMatch(
      /^the SQLite client better-sqlite3 cannot be loaded: run `npm install better-sqlite3`/,
    );
  },
);

test.skipIf(!CLIENTS.includes("node:sqlite"))(
  "loading node:sqlite warns of nothing, and other warnings pass (needs node:sqlite)",
  () => {
    const script = `
    const { loadClient } = require("jiti")(${JSON.stringify(fileURLToPath(import.meta.url))})("../../../src/drivers/sqlite/clients/load.ts");
    loadClient("node:sqlite")(":memory:").close();
    process.emitWarning("still heard", "ExperimentalWarning");`;
    const { stderr, status } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
    expect(status).toBe(0);
    expect(stderr).toMatch(/still heard/);
    expect(stderr).not.toMatch(/SQLite is an experimental feature/);
  },
);

function thrownBy(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return expect.fail("it threw nothing");
}
