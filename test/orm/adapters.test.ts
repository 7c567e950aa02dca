import { ConfigError } from "taskwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AdaptedOrm, type Database, type Inside, ORMS } from "./orms.js";
import { openPlace } from "./places.js";

const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, index) => index);
/** What one of the steps between us and the server might take for a placeholder, an escape or an end. */
const AWKWARD = "?? $1 $$ :name \\ \\? ' \" ; -- ünï 😀";

const SELECT: Readonly<Record<Database, string>> = {
  postgres: "SELECT $2::text AS some_text, $1::int AS n, $3::bytea AS bytes, $4::text AS nothing, $1::int AS again",
  mysql: "SELECT ? AS some_text, ? AS n, ? AS bytes, ? AS nothing, ? AS again",
};
const PARAMETERS: Readonly<Record<Database, (string | number | Uint8Array | null)[]>> = {
  postgres: [7, AWKWARD, EVERY_BYTE, null],
  mysql: [AWKWARD, 7, EVERY_BYTE, null, 7],
};
const INSERT: Readonly<Record<Database, string>> = {
  postgres: "INSERT INTO adapter_rows (id, body) VALUES ($1, $2)",
  mysql: "INSERT INTO adapter_rows (id, body) VALUES (?, ?)",
};

describe.each(Object.entries(ORMS))("the adapter of %s", (_name, onDatabase) => {
  describe.each(["postgres", "mysql"] as const)("on %s", (database) => {
    const open = onDatabase[database];
    let orm: AdaptedOrm;
    beforeAll(async () => {
      const { url } = await openPlace(database);
      orm = await open(url);
      const type = database === "postgres" ? "bytea" : "longblob";
      await inside(async ({ run }) => {
        await run("DROP TABLE IF EXISTS adapter_rows");
        await run(`CREATE TABLE adapter_rows (id int, body ${type})`);
      });
    }, 60_000);
    afterAll(() => orm?.close());

    /** Runs in a transaction, and answers what `work` answers. */
    async function inside<T>(work: (inside: Inside) => Promise<T>): Promise<T> {
      let answer: { value: T } | undefined;
      await orm.transaction(async (one) => {
        answer = { value: await work(one) };
      });
      return (answer as { value: T }).value;
    }

    test("passes parameters and rows on as they are", async () => {
      const rows = await inside(({ tx }) => tx().query(SELECT[database], PARAMETERS[database]));
      expect(rows).toHaveLength(1);
      const { n, again, bytes, ...rest } = rows[0] ?? {};
      expect(rest).toEqual({ some_text: AWKWARD, nothing: null });
      expect([Number(n), Number(again)]).toEqual([7, 7]);
      expect(Buffer.from(bytes as Uint8Array)).toEqual(Buffer.from(EVERY_BYTE));
    });

    test("answers no rows where there are none", async () => {
      const answers = await inside(async ({ tx }) => [
        await tx().query(INSERT[database], [1, EVERY_BYTE.subarray(3, 5)]),
        await tx().query("UPDATE adapter_rows SET id = 2 WHERE id = 1", []),
        await tx().query("SELECT id FROM adapter_rows WHERE id = 1", []),
        await tx().query("DELETE FROM adapter_rows WHERE id = 99", []),
      ]);
      expect(answers).toEqual([[], [], [], []]);
      const rows = await inside(({ tx }) => tx().query("SELECT id, body FROM adapter_rows", []));
      expect(rows.map(({ id }) => id)).toEqual([2]);
      expect([...Buffer.from(rows[0]?.body as Uint8Array)]).toEqual([3, 4]);
    });

    test("speaks the dialect of the database, and is one for one transaction", async () => {
      await inside(async ({ tx }) => {
        expect(tx().dialect).toBe(database);
        expect(tx()).toBe(tx());
      });
    });

    test("refuses what is no open transaction", () => {
      expect(() => orm.outside()).toThrow(ConfigError);
      expect(() => orm.outside()).toThrow(/takes an open transaction, and this is none/);
    });
  });
});
