import { ConfigError } from "../../job/errors.js";
import { integer } from "./cells.js";
import type { Session } from "./client/client.js";
import type { Settings } from "./options.js";
import { NOW_SQL, toMillis } from "./sql.js";

/** What a server says of itself that matters here. */
export interface ServerInfo {
  /** Such as `"MariaDB 10.11.19"`. */
  readonly server: string;
  /** Epoch ms. */
  readonly time: number;
  /** `max_allowed_packet`, in bytes. */
  readonly packet: number;
  /** MariaDB's `innodb_snapshot_isolation`, which is on by itself since 11.6. */
  readonly snapshots: boolean;
  readonly warnings: readonly string[];
}

/** Both have SKIP LOCKED since these. */
const OLDEST = { MariaDB: [10, 6], MySQL: [8, 0] } as const;

const VARIABLES = `SHOW VARIABLES WHERE Variable_name IN ('version', 'max_allowed_packet', 'read_only',
  'innodb_flush_log_at_trx_commit', 'transaction_isolation', 'tx_isolation', 'innodb_snapshot_isolation')`;

/** How many times `maxBytes` a packet must take: a job's row has a body and a history, and text doubles bytes. */
const PACKET_FACTOR = 3;

/** Cost: two statements, at the start of a connection and for `doctor`. */
export async function readInfo(session: Session, settings: Settings): Promise<ServerInfo> {
  const rows = await session.run(VARIABLES);
  const variables = new Map(rows.map((row) => [String(row.Variable_name), String(row.Value)]));
  const [clock] = await session.run(NOW_SQL);
  const version = variables.get("version") ?? "";
  const name = /mariadb/i.test(version) ? "MariaDB" : "MySQL";
  // Behind some proxies MariaDB calls itself 5.5.5-10.11.
  const number = /\d+\.\d+(\.\d+)?/.exec(version.replace(/^5\.5\.5-/, ""))?.[0] ?? "0.0";
  const [major = 0, minor = 0] = number.split(".").map(Number);
  const [leastMajor, leastMinor] = OLDEST[name];
  if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
    throw new ConfigError(
      `${name} ${number} at ${settings.location} is too old: taskwright needs MariaDB ${OLDEST.MariaDB.join(".")} or MySQL ${OLDEST.MySQL.join(".")}, or later`,
    );
  }
  return {
    server: `${name} ${number}`,
    time: toMillis(integer(clock ?? {}, "now")),
    packet: Number(variables.get("max_allowed_packet")),
    snapshots: variables.get("innodb_snapshot_isolation") === "ON",
    warnings: warningsOf(variables, settings),
  };
}

function warningsOf(variables: ReadonlyMap<string, string>, { maxBytes }: Settings): string[] {
  const warnings: string[] = [];
  const flush = variables.get("innodb_flush_log_at_trx_commit");
  if (flush !== undefined && flush !== "1") {
    warnings.push(
      `innodb_flush_log_at_trx_commit is ${flush}: a crash of the ${flush === "0" ? "server" : "machine"} may lose the last second of acknowledged jobs; set it to 1.`,
    );
  }
  const isolation = variables.get("transaction_isolation") ?? variables.get("tx_isolation");
  if (isolation !== undefined && isolation !== "READ-COMMITTED") {
    warnings.push(
      `The connections of the pool are in ${isolation}: taskwright sets READ COMMITTED before each of its transactions, one more round trip; set it for the pool.`,
    );
  }
  const packet = Number(variables.get("max_allowed_packet"));
  if (packet < PACKET_FACTOR * maxBytes) {
    warnings.push(
      `max_allowed_packet is ${packet} and maxBytes ${maxBytes}: the largest jobs will fail; raise the first to ${PACKET_FACTOR * maxBytes}, or lower the second.`,
    );
  }
  if (/^(ON|1)$/.test(variables.get("read_only") ?? "")) {
    warnings.push("read_only is on: this is a replica, or a failover is under way, and nothing can be enqueued.");
  }
  return warnings;
}
