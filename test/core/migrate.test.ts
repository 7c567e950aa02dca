import { BrokerError, SchemaError, Taskwright } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { describe, expect, onTestFinished, test } from "vitest";
import { migratingDriver } from "../support/migrating.js";
import { temporaryFolder } from "../support/temporary.js";

async function ledgerFile(): Promise<string> {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  return `${folder.path}/ledger.json`;
}

const names = (migrations: readonly { readonly name: string }[]) => migrations.map(({ name }) => name);

describe("app.migrate", () => {
  test("answers for broker and backend what was applied, and nothing for a driver without migrations", async () => {
    const backend = migratingDriver(await ledgerFile());
    await using app = new Taskwright({ broker: memory(), backend });
    await expect(app.connect()).rejects.toThrow(SchemaError);
    const [first, second] = await app.migrate();
    expect(first).toEqual({
      role: "broker",
      driver: "memory",
      location: "memory:",
      known: 0,
      applied: [],
      missing: [],
    });
    expect(second).toMatchObject({ role: "backend", driver: "migrating", known: 2, missing: [] });
    expect(names(second?.applied ?? [])).toEqual(["tables", "outcomes"]);
    await app.connect();
    expect(await app.migrate()).toMatchObject([{ applied: [] }, { applied: [], missing: [] }]);
  });

  test("looks once at a place that is both, and changes nothing in a dry run", async () => {
    const broker = migratingDriver(await ledgerFile());
    await using app = new Taskwright({ broker, backend: broker });
    for (let round = 0; round < 2; round++) {
      const reports = await app.migrate({ dryRun: true });
      expect(reports).toMatchObject([{ role: "broker", applied: [] }]);
      expect(names(reports[0]?.missing ?? [])).toEqual(["tables", "outcomes"]);
    }
  });

  test("goes to the places of single queues too, to each once", async () => {
    const [own, mail] = [migratingDriver(await ledgerFile()), migratingDriver(await ledgerFile())];
    const queuePlaces = { mail: { broker: mail, backend: own }, bills: { broker: mail } };
    await using app = new Taskwright({ broker: own, queuePlaces });
    const reports = await app.migrate();
    expect(reports.map(({ applied }) => names(applied))).toEqual([
      ["tables", "outcomes"],
      ["tables", "outcomes"],
    ]);
  });

  test("closes the migrator after a failure, and gives what a driver did not expect a type", async () => {
    let closed = 0;
    const migrator = (error: Error) => async () => ({
      status: () => Promise.reject(error),
      apply: () => Promise.reject(error),
      async close() {
        closed += 1;
      },
    });
    for (const error of [new SchemaError("newer"), new BrokerError("away")]) {
      await using app = new Taskwright({ broker: { ...memory(), migrations: [], migrator: migrator(error) } });
      await expect(app.migrate()).rejects.toBe(error);
      await expect(app.migrate({ dryRun: true })).rejects.toBe(error);
    }
    await using app = new Taskwright({ broker: { ...memory(), migrations: [], migrator: migrator(new Error("odd")) } });
    await expect(app.migrate()).rejects.toMatchObject({
      code: "broker",
      outcome: "unknown",
      message: "memory migrations failed: odd",
    });
    expect(closed).toBe(5);
  });
});
