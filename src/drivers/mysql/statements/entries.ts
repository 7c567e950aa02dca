import type { Entry } from "../../../contracts/coordinator.js";
import type { SqlRow } from "../../../contracts/transaction.js";
import { bytes, encodeName, integer, name } from "../cells.js";
import type { PooledSession, Session } from "../client/client.js";
import { NOW, type Parameter, type Tables, toMicros } from "../sql.js";

const LIVE = `(expires IS NULL OR expires > ${NOW})`;
/** Grows with each write, and with time, so that a key that is removed and written again never repeats one. */
const NEXT_VERSION = `GREATEST(version + 1, ${NOW})`;

/** Greater than every byte of UTF-8. */
const AFTER_ALL = Buffer.from([0xff]);

/**
 * Purpose: the shared state of the coordinator.
 * Callers: the coordinator; the backend's sweep.
 * Cost: one row by its key; `list` walks along the keys of its prefix.
 */
export function entries(tables: Tables) {
  const columns = "name, value, version";
  const find = `SELECT ${columns} FROM ${tables.entries} WHERE name = ? AND ${LIVE}`;
  const put = `
    INSERT INTO ${tables.entries} (name, value, version, expires) VALUES (?, ?, ${NOW}, ${NOW} + ?)
    ON DUPLICATE KEY UPDATE value = VALUES(value), version = ${NEXT_VERSION}, expires = VALUES(expires)`;
  const replace = `
    UPDATE ${tables.entries} SET value = ?, version = ${NEXT_VERSION}, expires = ${NOW} + ?
    WHERE name = ? AND version = ? AND ${LIVE}`;
  const removeExpired = `DELETE FROM ${tables.entries} WHERE name = ? AND expires <= ${NOW}`;
  const create = `INSERT IGNORE INTO ${tables.entries} (name, value, version, expires) VALUES (?, ?, ${NOW}, ${NOW} + ?)`;
  const removeLive = `DELETE FROM ${tables.entries} WHERE name = ? AND ${LIVE}`;
  const list = `SELECT ${columns} FROM ${tables.entries} WHERE name >= ? AND name < ? AND ${LIVE} ORDER BY name`;
  // MySQL assigns from left to right, so `expires` is still the old one where `value` is decided.
  const increment = `
    INSERT INTO ${tables.counters} (name, value, expires) VALUES (?, ?, ${NOW} + ?)
    ON DUPLICATE KEY UPDATE value = IF(expires <= ${NOW}, VALUES(value), value + VALUES(value)),
      expires = IF(VALUES(expires) IS NULL AND ${LIVE}, expires, VALUES(expires))`;
  const counter = `SELECT value FROM ${tables.counters} WHERE name = ?`;
  const sweeps = [tables.entries, tables.counters].map(
    (table) => `DELETE FROM ${table} WHERE expires <= ${NOW} ORDER BY expires LIMIT ?`,
  );

  return {
    async find(session: Session, key: string): Promise<Entry | undefined> {
      const [row] = await session.run(find, [encodeName(key)]);
      return row && toEntry(row);
    },
    async put(session: Session, key: string, value: Uint8Array, ttl: number | undefined): Promise<void> {
      await session.run(put, [encodeName(key), value, micros(ttl)]);
    },
    /** Writes only where there is an entry of this version, or none for 0, and answers whether it did. */
    async putIf(
      session: PooledSession,
      key: string,
      value: Uint8Array,
      ttl: number | undefined,
      version: number,
    ): Promise<boolean> {
      const name = encodeName(key);
      if (version !== 0) return (await session.change(replace, [value, micros(ttl), name, version])) > 0;
      await session.run(removeExpired, [name]);
      return (await session.change(create, [name, value, micros(ttl)])) > 0;
    },
    /** Answers whether there was a live one. */
    delete: async (session: PooledSession, key: string) => (await session.change(removeLive, [encodeName(key)])) > 0,
    async list(session: Session, prefix: string): Promise<Entry[]> {
      const from = encodeName(prefix);
      return (await session.run(list, [from, Buffer.concat([from, AFTER_ALL])])).map(toEntry);
    },
    /** Adds to a counter. Without a `ttl` a live counter's time stays as it is. */
    async increment(session: Session, key: string, by: number, ttl: number | undefined): Promise<number> {
      const name = encodeName(key);
      await session.run(increment, [name, by, micros(ttl)]);
      const [row] = await session.run(counter, [name]);
      return integer(row ?? {}, "value");
    },
    /** Deletes up to `max` expired entries and counters, and answers how many. */
    async sweep(session: PooledSession, max: number): Promise<number> {
      let swept = 0;
      for (const sweep of sweeps) swept += await session.change(sweep, [max - swept]);
      return swept;
    },
  };
}

function micros(ttl: number | undefined): Parameter {
  return ttl === undefined ? null : toMicros(ttl);
}

function toEntry(row: SqlRow): Entry {
  return { key: name(row, "name"), value: bytes(row, "value"), version: integer(row, "version") };
}
