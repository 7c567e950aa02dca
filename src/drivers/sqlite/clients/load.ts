import { createRequire } from "node:module";
import { join } from "node:path";
import { ConfigError, MissingDependencyError } from "../../../job/errors.js";
import { BetterSqlite3Client, type BetterSqlite3Constructor } from "./better-sqlite3.js";
import { CLIENT_NAMES, type Client, type ClientName } from "./client.js";
import { NodeSqliteClient, type NodeSqliteConstructor } from "./node-sqlite.js";

/** Opens a file; made by loading a client's library. */
export type Opener = (path: string) => Client;

const LOADERS: Readonly<Record<ClientName, () => Opener>> = {
  "better-sqlite3": loadBetterSqlite3,
  "node:sqlite": loadNodeSqlite,
  libsql: loadLibsql,
};

/** better-sqlite3 12 is the first whose SQLite has all that our statements use on every supported Node. */
const OLDEST_BETTER_SQLITE3 = 12;

/**
 * Loads a client: the one named, or the first that can be loaded, in this order: better-sqlite3 (you installed it, so
 * you want it), `node:sqlite` (built in since Node 22.13), libsql (comes with taskwright as an optional dependency).
 *
 * @throws {MissingDependencyError} when there is none, with the command that installs one.
 */
export function loadClient(name?: ClientName): Opener {
  const reasons: string[] = [];
  for (const candidate of name === undefined ? CLIENT_NAMES : [name]) {
    try {
      return LOADERS[candidate]();
    } catch (error) {
      if (error instanceof ConfigError && name !== undefined) throw error;
      reasons.push(`${candidate}: ${firstLine(error)}`);
    }
  }
  throw new MissingDependencyError(`${remedy(name)} (${reasons.join("; ")})`);
}

function remedy(name: ClientName | undefined): string {
  if (name === "node:sqlite") {
    return `node:sqlite is built into Node 22.13 and later, and this is ${process.version}: run a newer Node, or \`npm install better-sqlite3\``;
  }
  if (name !== undefined) return `the SQLite client ${name} cannot be loaded: run \`npm install ${name}\``;
  return "no SQLite client can be loaded: run `npm install better-sqlite3`, or use Node 22.13 or later";
}

function loadBetterSqlite3(): Opener {
  const { version } = requireHere("better-sqlite3/package.json") as { version: string };
  if (Number.parseInt(version, 10) < OLDEST_BETTER_SQLITE3) {
    throw new ConfigError(
      `better-sqlite3 ${version} is too old: run \`npm install better-sqlite3@${OLDEST_BETTER_SQLITE3}\``,
    );
  }
  const Database = requireHere("better-sqlite3") as BetterSqlite3Constructor;
  // Its native part is only loaded here, and is missing where installation could not compile it.
  new Database(":memory:").close();
  return (path) => new BetterSqlite3Client("better-sqlite3", new Database(path));
}

function loadLibsql(): Opener {
  const Database = requireHere("libsql") as BetterSqlite3Constructor;
  return (path) => new BetterSqlite3Client("libsql", new Database(path));
}

function loadNodeSqlite(): Opener {
  const { DatabaseSync } = withoutExperimentalWarning(() => process.getBuiltinModule("node:sqlite")) as unknown as {
    DatabaseSync: NodeSqliteConstructor;
  };
  return (path) => new NodeSqliteClient(new DatabaseSync(path));
}

/**
 * Loads a module from beside this one, or from beside the program: package managers with strict folders (pnpm, Yarn)
 * hide from a package what its user installed.
 */
function requireHere(specifier: string): unknown {
  const here = createRequire(import.meta.url);
  try {
    return here(specifier);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    return createRequire(join(process.cwd(), "package.json"))(specifier);
  }
}

/** Node 22 warns once that its SQLite is experimental. That one is for its developers; all others pass. */
function withoutExperimentalWarning<T>(load: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (!/SQLite is an experimental feature/.test(String(warning))) {
      Reflect.apply(emitWarning, process, [warning, ...rest]);
    }
  }) as typeof process.emitWarning;
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n", 1)[0] ?? message;
}
