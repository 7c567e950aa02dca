import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** A database as a version of taskwright left it. */
export interface Frozen {
  /** The number of its newest migration. */
  readonly level: number;
  readonly file: string;
}

/** Where the database of a driver at a level is kept. */
export function frozenFile(driver: string, level: number): string {
  return join(FOLDER, `${driver}-${level}.sql`);
}

/** All that are kept of a driver. */
export async function frozenDatabases(driver: string): Promise<Frozen[]> {
  const names = await readdir(FOLDER);
  const levels = names.flatMap((name) => new RegExp(`^${driver}-(\\d+)\\.sql$`).exec(name)?.[1] ?? []).map(Number);
  return levels.sort((a, b) => a - b).map((level) => ({ level, file: frozenFile(driver, level) }));
}

/** The script that makes it again. */
export function readFrozen({ file }: Frozen): Promise<string> {
  return readFile(file, "utf8");
}
