import { test } from "vitest";
import { mysqlPlace } from "../../support/mysql/shared.js";
import { killCompletion } from "../killed-completion.js";
import { connection } from "./support.js";

test.each(["before", "after"] as const)("a worker killed %s the commit of what completes its job", async (moment) => {
  const broker = await mysqlPlace();
  const client = await connection(broker);
  await client.query("DROP TABLE IF EXISTS ledger");
  await client.query("CREATE TABLE ledger (id INT, attempt INT)");
  await killCompletion(broker, moment, {
    rows: async () => (await client.query("SELECT id, attempt FROM ledger"))[0] as Record<string, unknown>[],
    transaction: async (work) => {
      await client.beginTransaction();
      await work(client, (sql) => client.query(sql));
      await client.commit();
    },
  });
});
