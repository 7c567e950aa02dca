import type { Coordinator, Entry, PutOptions } from "../../contracts/coordinator.js";
import { bytes, integer, text } from "./cells.js";
import { type Database, onlyRow, type Row } from "./database.js";

/** Sorts after every character that a key may go on with. */
const LAST_CHARACTER = "\u{10FFFF}";

export class PostgresCoordinator implements Coordinator {
  readonly #database: Database;
  /** Quoted. */
  readonly #s: string;

  constructor(database: Database) {
    this.#database = database;
    this.#s = database.schema;
  }

  async get(key: string): Promise<Entry | undefined> {
    const [row] = await this.#database.query(
      `SELECT key, value, version FROM ${this.#s}.entries WHERE key = $1 AND (expires IS NULL OR expires > ${this.#s}.now_ms())`,
      [key],
    );
    return row && toEntry(row);
  }

  /** Versions are numbered over all keys, so that a key that is removed and written again never repeats one. */
  async put(key: string, value: Uint8Array, { ttl, ifVersion }: PutOptions = {}): Promise<boolean> {
    const kept = ttl === undefined ? null : Math.ceil(ttl);
    const values = `nextval('${this.#s}.entries_seq'), ${this.#s}.now_ms() + $3::bigint, $2::bytea`;
    const renewed = "version = excluded.version, expires = excluded.expires, value = excluded.value";
    const insert = `INSERT INTO ${this.#s}.entries AS e (key, version, expires, value) VALUES ($1, ${values})
      ON CONFLICT (key) DO UPDATE SET ${renewed}`;
    const parameters = [key, value, kept];
    if (ifVersion === undefined) {
      await this.#database.query(insert, parameters);
      return true;
    }
    const rows =
      ifVersion === 0
        ? await this.#database.query(`${insert} WHERE e.expires <= ${this.#s}.now_ms() RETURNING 1`, parameters)
        : await this.#database.query(
            `UPDATE ${this.#s}.entries SET (version, expires, value) = (SELECT ${values})
              WHERE key = $1 AND version = $4 AND (expires IS NULL OR expires > ${this.#s}.now_ms()) RETURNING 1`,
            [...parameters, ifVersion],
          );
    return rows.length > 0;
  }

  async remove(key: string): Promise<boolean> {
    const [row] = await this.#database.query(
      `DELETE FROM ${this.#s}.entries WHERE key = $1 RETURNING expires IS NULL OR expires > ${this.#s}.now_ms()`,
      [key],
    );
    return row?.[0] === true;
  }

  async list(prefix: string): Promise<Entry[]> {
    const rows = await this.#database.query(
      `SELECT key, value, version FROM ${this.#s}.entries
        WHERE key >= $1 AND key < $2 AND (expires IS NULL OR expires > ${this.#s}.now_ms()) ORDER BY key`,
      [prefix, prefix + LAST_CHARACTER],
    );
    return rows.map(toEntry);
  }

  async increment(key: string, by: number, ttl?: number): Promise<number> {
    const rows = await this.#database.query(
      `INSERT INTO ${this.#s}.counters AS c (key, value, expires) VALUES ($1, $2, ${this.#s}.now_ms() + $3::bigint)
       ON CONFLICT (key) DO UPDATE SET
         value = CASE WHEN c.expires <= ${this.#s}.now_ms() THEN excluded.value ELSE c.value + excluded.value END,
         expires = CASE WHEN c.expires <= ${this.#s}.now_ms() THEN excluded.expires
                        ELSE coalesce(excluded.expires, c.expires) END
       RETURNING value`,
      [key, by, ttl === undefined ? null : Math.ceil(ttl)],
    );
    return integer(onlyRow(rows, this.#database.location)[0]);
  }
}

function toEntry([key, value, version]: Row): Entry {
  return { key: text(key), value: bytes(value), version: integer(version) };
}
