import { integer, text } from "./cells.js";
import { type Database, onlyRow } from "./database.js";

/** What a server says of itself that matters here. */
export interface ServerInfo {
  /** Such as `"PostgreSQL 16.4"`. */
  readonly name: string;
  /** Such as 160004. */
  readonly version: number;
  /** Epoch ms. */
  readonly time: number;
  readonly fsync: boolean;
  /** `synchronous_commit`. */
  readonly commit: string;
  readonly autovacuum: boolean;
  /** It only reads. */
  readonly replica: boolean;
}

const LOOK = `SELECT current_setting('server_version'), current_setting('server_version_num')::int,
  floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, current_setting('fsync')::bool,
  current_setting('synchronous_commit'), current_setting('autovacuum')::bool, pg_is_in_recovery()`;

export async function readServer(database: Database): Promise<ServerInfo> {
  const row = onlyRow(await database.query(LOOK), database.location);
  const [version, number, time, fsync, commit, autovacuum, replica] = row;
  return {
    name: `PostgreSQL ${text(version).split(" ", 1)[0]}`,
    version: integer(number),
    time: integer(time),
    fsync: fsync === true,
    commit: text(commit),
    autovacuum: autovacuum === true,
    replica: replica === true,
  };
}

/** What the operator should change, each one sentence. */
export function warningsOf({ fsync, commit, autovacuum, replica }: ServerInfo): string[] {
  const warnings: string[] = [];
  if (!fsync)
    warnings.push("fsync is off: a crash of the machine loses jobs, and may damage the database; turn it on.");
  if (commit === "off") {
    warnings.push(
      "synchronous_commit is off: acknowledged jobs of the last moments are lost when the server crashes; turn it on for taskwright's role or database.",
    );
  }
  if (!autovacuum) warnings.push("autovacuum is off: the tables of jobs will grow and grow slow; turn it on.");
  if (replica) warnings.push("it is a replica, which takes no jobs: connect to the primary.");
  return warnings;
}
