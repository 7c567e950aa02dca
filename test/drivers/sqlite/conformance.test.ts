import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { driverConformance, type OpenTransaction, type Place } from "taskwright/conformance";
import { FakeClock } from "taskwright/testing";
import { describe, test } from "vitest";
import type { ClientName } from "../../../src/drivers/sqlite/clients/client.js";
import { sqlite } from "../../../src/drivers/sqlite/index.js";
import { CLIENTS, openDatabase } from "./support.js";

for (const client of CLIENTS) {
  driverConformance({
    name: `sqlite through ${client}`,
    capabilities: sqlite().capabilities,
    runner: { describe, test },
    open: () => openPlace(client),
  });
}

function openPlace(client: ClientName): Place {
  const directory = mkdtempSync(join(tmpdir(), "taskwright-sqlite-"));
  const path = join(directory, "jobs.db");
  const clock = new FakeClock();
  return {
    driver: sqlite({ path, client, synchronous: "NORMAL" }),
    clock,
    advance: (ms) => clock.advance(ms),
    unit: 100,
    begin: async () => begin(client, path),
    remove: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

function begin(client: ClientName, path: string): OpenTransaction {
  const database = openDatabase(client, path);
  database.exec("BEGIN IMMEDIATE");
  const end = async (statement: string) => {
    database.exec(statement);
    database.close();
  };
  return { handle: database, commit: () => end("COMMIT"), rollback: () => end("ROLLBACK") };
}
