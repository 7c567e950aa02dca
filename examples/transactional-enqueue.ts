/** A job that is enqueued inside your own SQLite transaction exists if and only if that transaction commits. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "libsql"; // better-sqlite3 and node:sqlite work the same way
import { Taskwright } from "taskwright";

const folder = await mkdtemp(join(tmpdir(), "taskwright-example-"));
const file = join(folder, "shop.db");

{
  await using app = new Taskwright({ broker: `sqlite:${file}` });
  const confirm = app.task("order.confirm", (id: number) => `confirmed ${id}`);
  await using worker = app.worker();
  await worker.start();

  const db = new Database(file);
  db.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY)");

  const order = async (id: number, valid: boolean) => {
    db.exec("BEGIN IMMEDIATE");
    db.prepare("INSERT INTO orders (id) VALUES (?)").run(id);
    const job = await confirm.with({ tx: db, id: `order-${id}` }).enqueue(id);
    db.exec(valid ? "COMMIT" : "ROLLBACK");
    return job;
  };

  const placed = await order(1, true);
  assert.equal(await placed.result({ timeout: "5s" }), "confirmed 1");
  const refused = await order(2, false);
  assert.equal(await refused.state(), "unknown"); // rolled back with its order
  db.close();
}
await rm(folder, { recursive: true });
