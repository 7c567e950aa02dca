import { expect, onTestFinished, test } from "vitest";
import { startMysql } from "../../support/mysql/server.js";
import { freshPlace } from "../../support/mysql/shared.js";
import { canMount } from "../../support/small-disk.js";
import { meetFullDisk } from "../full-disk.js";

const FILL =
  "INSERT INTO small.ballast SELECT REPEAT('x', 1000) FROM information_schema.COLUMNS, information_schema.COLLATIONS";

test.skipIf(!canMount())(
  "mysql with a full disk refuses, keeps what it acknowledged, and goes on (skipped where no disk can be mounted: root only)",
  async () => {
    const server = await startMysql({ disk: 24 });
    onTestFinished(() => server.remove());
    const broker = await freshPlace({ url: server.url.replace(/test$/, "small") });
    await meetFullDisk({
      broker,
      // MariaDB 10.11 itself dies where a value that has pages of its own, from 8 KB on, finds none, and, with bodies of 1,000
      // bytes, where it takes back a statement that found no space ("Out of disk space in rollback"): then it is a server that is
      // away. Smaller ones fit into pages that are there.
      bytes: 500,
      stopsResults: false,
      fill: async () => {
        await server.ask("CREATE TABLE small.ballast (x TEXT)");
        await expect(server.ask(FILL)).rejects.toThrow(/is full/);
      },
      free: async () => void (await server.ask("DROP TABLE small.ballast")),
    });
  },
);
