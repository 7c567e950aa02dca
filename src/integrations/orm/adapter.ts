import type { SqlDialect, SqlParameter, SqlRow, SqlTransaction } from "../../contracts/transaction.js";
import { ConfigError } from "../../job/errors.js";

/** What an adapter can be told where it cannot see it. */
export interface AdapterOptions {
  /** The SQL of the database. Default: what the ORM says that it speaks. */
  readonly dialect?: SqlDialect;
}

/** What was made of each transaction: who gives one twice, in two calls at once, means one. */
const ADAPTED = new WeakMap<object, SqlTransaction>();

/** An adapter's half of the work, where the ORM's transaction is known to be one, and its dialect too. */
export function adapter(
  transaction: object,
  dialect: SqlDialect,
  query: (sql: string, parameters: (string | number | Buffer | null)[]) => PromiseLike<unknown>,
): SqlTransaction {
  const known = ADAPTED.get(transaction);
  if (known?.dialect === dialect) return known;
  const adapted: SqlTransaction = {
    dialect,
    query: async (sql, parameters) => rowsOf(await query(sql, parameters.map(toBuffer)), dialect),
  };
  ADAPTED.set(transaction, adapted);
  return adapted;
}

/**
 * The dialect that an ORM calls `name`.
 *
 * @throws ConfigError for one that no driver speaks, and where none was found
 */
export function dialectNamed(from: string, name: unknown, { dialect }: AdapterOptions): SqlDialect {
  if (dialect !== undefined) return dialect;
  const found = DIALECTS.find(([pattern]) => typeof name === "string" && pattern.test(name));
  if (found !== undefined) return found[1];
  const what = typeof name === "string" ? `speaks ${name}` : "does not say what it speaks";
  throw new ConfigError(
    `${from}: the database ${what}: pass { dialect: "postgres" } or { dialect: "mysql" } if it is one`,
  );
}

const DIALECTS: readonly (readonly [pattern: RegExp, dialect: SqlDialect])[] = [
  [/^(pg|postgres|cockroach)/i, "postgres"],
  [/^(mysql|mariadb)/i, "mysql"],
  [/sqlite|libsql/i, "sqlite"],
];

/** @throws ConfigError where `holds` is false */
export function requireTransaction(from: string, holds: boolean): asserts holds {
  if (holds) return;
  throw new ConfigError(`${from} takes an open transaction, and this is none: what is written would not be in yours`);
}

/** MySQL's clients write a plain `Uint8Array` as an object, so everybody gets a `Buffer`. */
function toBuffer(parameter: SqlParameter): string | number | Buffer | null {
  if (!(parameter instanceof Uint8Array) || Buffer.isBuffer(parameter)) return parameter as string | number | null;
  return Buffer.from(parameter.buffer, parameter.byteOffset, parameter.byteLength);
}

/**
 * The rows in what a client answered: `{ rows }` (pg), rows alone (postgres.js and ORMs that unwrap them), `[rows, fields]`
 * or `[header, fields]` (mysql2), or the header alone.
 */
function rowsOf(answer: unknown, dialect: SqlDialect): readonly SqlRow[] {
  if (!Array.isArray(answer)) return isRecord(answer) && Array.isArray(answer.rows) ? answer.rows.filter(isRecord) : [];
  const [first] = answer as unknown[];
  if (Array.isArray(first)) return first.filter(isRecord);
  const isHeader = dialect === "mysql" && isRecord(first) && "affectedRows" in first;
  return isHeader ? [] : answer.filter(isRecord);
}

function isRecord(value: unknown): value is SqlRow {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `$1`, `$2` as `?`, with the parameters in the order of their use. A `?` of the statement's own is escaped as `\?`. */
export function toQuestionMarks<T>(sql: string, parameters: readonly T[]): { sql: string; parameters: T[] } {
  const used: T[] = [];
  const text = sql.replace(/\?|\$(\d+)/g, (mark, number: string | undefined) => {
    if (number === undefined) return `\\${mark}`;
    const parameter = parameters[Number(number) - 1];
    if (parameter === undefined) throw new RangeError(`the statement has no parameter ${mark}`);
    used.push(parameter);
    return "?";
  });
  return { sql: text, parameters: used };
}
