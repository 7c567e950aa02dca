import { postgres } from "taskwright/drivers/postgres";
import { beforeAll, expect, test } from "vitest";
import { type PostgresServer, startPostgres } from "../../support/postgres/server.js";
import { migrate } from "../../support/postgres/shared.js";
import { frozenDatabases, readFrozen } from "../frozen/files.js";
import { meetNewer } from "../frozen/newer.js";
import { upgrade } from "../frozen/upgrade.js";

const FROZEN = await frozenDatabases("postgres");
let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
  return () => server.remove();
});

test.each(FROZEN)("a database at migration $level is upgraded with all that is in it", async (frozen) => {
  await server.ask(`CREATE DATABASE frozen_${frozen.level}`);
  const url = server.url.replace(/[^/]*$/, `frozen_${frozen.level}`);
  await server.ask(await readFrozen(frozen), [], url);
  await upgrade(url, frozen.level);
});

test("the newest migration has a frozen database: else run `npx jiti scripts/freeze-databases.ts`", () => {
  expect(FROZEN.at(-1)?.level).toBe(postgres().migrations?.at(-1)?.number);
});

/** As a later version would: what is there stays, and more comes to it. */
const FURTHER = `
  ALTER TABLE taskwright.jobs ADD COLUMN extra integer NOT NULL DEFAULT 0;
  ALTER TABLE taskwright.dead ADD COLUMN extra integer;
  CREATE INDEX jobs_extra ON taskwright.jobs (extra) WHERE extra > 0;
  INSERT INTO taskwright.migrations (number, name, checksum) VALUES (99, 'extra', 'later');`;

test("workers of this version go on while a newer one migrates, and newcomers are told to upgrade", async () => {
  await server.ask("CREATE DATABASE newer");
  const url = server.url.replace(/[^/]*$/, "newer");
  await migrate(postgres(url));
  await meetNewer(url, async () => void (await server.ask(FURTHER, [], url)));
});
