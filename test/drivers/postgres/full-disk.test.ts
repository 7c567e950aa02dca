import { postgres } from "taskwright/drivers/postgres";
import { expect, it, onTestFinished } from "vitest";
import { startPostgres } from "../../support/postgres/server.js";
import { migrate } from "../../support/postgres/shared.js";
import { canMount } from "../../support/small-disk.js";
import { meetFullDisk } from "../full-disk.js";

const FILL = "INSERT INTO ballast SELECT repeat('x', 1000) FROM generate_series(1, 100000)";

it.skipIf(!canMount())(
  "postgres with a full disk refuses, keeps what it acknowledged, and goes on (skipped where no disk can be mounted: root only)",
  async () => {
    const server = await startPostgres({ disk: 24 });
    onTestFinished(() => server.remove());
    await migrate(postgres(server.url));
    await meetFullDisk({
      broker: server.url,
      // More than the pages that a table has begun can take.
      bytes: 100_000,
      stopsResults: true,
      fill: async () => {
        await server.ask("CREATE TABLE ballast (x text)");
        await expect(server.ask(FILL)).rejects.toThrow(/No space left/);
      },
      free: async () => void (await server.ask("DROP TABLE ballast")),
    });
  },
);
