import pg from "pg";
import { onTestFinished, test } from "vitest";
import { killCompletion } from "../killed-completion.js";
import { place } from "./support.js";

test.each(["before", "after"] as const)("a worker killed %s the commit of what completes its job", async (moment) => {
  const broker = await place();
  const client = new pg.Client({ connectionString: broker });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query("DROP TABLE IF EXISTS ledger; CREATE TABLE ledger (id int, attempt int)");
  await killCompletion(broker, moment, {
    rows: async () => (await client.query("SELECT id, attempt FROM ledger")).rows,
    transaction: async (work) => {
      await client.query("BEGIN");
      await work(client, (sql) => client.query(sql));
      await client.query("COMMIT");
    },
  });
});
