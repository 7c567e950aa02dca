import type { ConnectionOptions as TlsOptions } from "node:tls";
import { maskUrl } from "../../config/mask.js";
import { type Duration, parseDuration } from "../../job/duration.js";
import { ConfigError } from "../../job/errors.js";
import { assertOptionNames, checkWholeNumber, oneOf, readFlag, readQuery } from "../common/options.js";
import type { PgPool } from "./client.js";

/** Where and how the postgres driver keeps jobs. */
export interface PostgresOptions {
  /**
   * The database. Default `"postgres://localhost:5432"`: `postgres://[user:password@]host[:port]/database`, also with the
   * scheme `postgresql`, and with `?schema=`, `?poolSize=`, `?timeout=`, `?maxBytes=`, `?listen=` and `?pollInterval=` as
   * below, and `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `application_name`, `options` and `host` (a folder of unix
   * sockets) as psql knows them.
   */
  readonly url?: string;
  /** A pool of pg (`new Pool(...)`) to be used instead of opening `url`. It stays yours to end. One connection is kept for `listen`. */
  readonly pool?: PgPool;
  /** The schema of the tables. Default `"taskwright"`. */
  readonly schema?: string;
  /** The most connections of a pool of our own. Default 10. */
  readonly poolSize?: number;
  /** How long a call waits for a connection, and for an answer. Default `"10s"`. */
  readonly timeout?: Duration;
  /** The longest body of a job or outcome, in bytes. Default 1,048,576 (1 MiB), at most 100 MiB. */
  readonly maxBytes?: number;
  /**
   * Hear of new jobs, results and cancellation through `LISTEN`. Default `true`. `false` where connections cannot listen, as
   * behind PgBouncer in transaction mode: then new work is looked for every `pollInterval`.
   */
  readonly listen?: boolean;
  /** How often an idle worker looks for new work where it does not listen. Default `"1s"`. */
  readonly pollInterval?: Duration;
  /** Options for TLS, such as `ca`. Default: what the URL says (`sslmode`). */
  readonly tls?: TlsOptions;
}

/** Options with everything decided. */
export interface Settings {
  readonly pool: PgPool | undefined;
  /** For pg, without what only we know. */
  readonly url: string;
  /** Where it connects to, without secrets. */
  readonly location: string;
  readonly schema: string;
  readonly poolSize: number;
  /** Milliseconds. */
  readonly timeout: number;
  readonly maxBytes: number;
  readonly listen: boolean;
  /** Milliseconds. */
  readonly pollInterval: number;
  readonly tls: TlsOptions | undefined;
}

const OPTION_NAMES = [
  "url",
  "pool",
  "schema",
  "poolSize",
  "timeout",
  "maxBytes",
  "listen",
  "pollInterval",
  "tls",
] as const;
const OUR_NAMES = ["schema", "poolSize", "timeout", "maxBytes", "listen", "pollInterval"] as const;
/** Those that pg reads. */
const PG_NAMES = [
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
  "uselibpqcompat",
  "application_name",
  "options",
  "host",
  "client_encoding",
] as const;
/** Others would pass for `verify-full`. */
const SSL_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full", "no-verify"] as const;
const DEFAULT_URL = "postgres://localhost:5432";
const DEFAULT_MAX_BYTES = 1024 * 1024;
const LARGEST_MAX_BYTES = 100 * 1024 * 1024;

/** @throws {ConfigError} naming the option that is wrong and what it may be. */
export function resolveOptions(options: PostgresOptions): Settings {
  assertOptionNames(options, OPTION_NAMES, "postgres()");
  const { pool, url = DEFAULT_URL, tls } = options;
  refusePoolAnd(options);
  if (pool !== undefined) assertPool(pool);
  const parsed = pool === undefined ? parseUrl(url) : { url: "", options: {} };
  const merged = { ...parsed.options, ...options };
  return {
    pool,
    url: parsed.url,
    location: pool === undefined ? maskUrl(url) : "postgres: (the given pool)",
    schema: checkSchema(merged.schema ?? "taskwright"),
    poolSize: checkWholeNumber("poolSize", merged.poolSize ?? 10, 1, 1000),
    timeout: parseDuration(merged.timeout ?? "10s", "timeout"),
    maxBytes: checkWholeNumber("maxBytes", merged.maxBytes ?? DEFAULT_MAX_BYTES, 1, LARGEST_MAX_BYTES),
    listen: merged.listen ?? true,
    pollInterval: parseDuration(merged.pollInterval ?? "1s", "pollInterval"),
    tls,
  };
}

function refusePoolAnd({ pool, url, tls, poolSize }: PostgresOptions): void {
  if (pool === undefined) return;
  const [name] = Object.entries({ url, tls, poolSize }).find(([, value]) => value !== undefined) ?? [];
  if (name !== undefined) throw new ConfigError(`postgres() takes a pool or ${name}, not both: a pool has its own`);
}

function assertPool(pool: unknown): void {
  const { connect, totalCount } = (pool ?? {}) as { connect?: unknown; totalCount?: unknown };
  if (typeof connect === "function" && typeof totalCount === "number") return;
  throw new ConfigError("pool is no pool of pg: give a `new Pool(...)` of pg");
}

interface Parsed {
  /** For pg. */
  readonly url: string;
  readonly options: Pick<PostgresOptions, (typeof OUR_NAMES)[number]>;
}

/** @throws {ConfigError} when the URL has another form or another key. */
function parseUrl(url: string): Parsed {
  const match = /^postgres(?:ql)?:\/\/([^?#]*)(?:\?([^#]*))?$/i.exec(url);
  if (!match) {
    throw new ConfigError(
      `"${maskUrl(url)}" is not a postgres URL: write postgres://user:password@localhost:5432/database`,
    );
  }
  assertParses(url);
  const [, place = "", search = ""] = match;
  const values = readQuery(search, [...OUR_NAMES, ...PG_NAMES], "the postgres URL", url);
  if (values.sslmode !== undefined) oneOf("sslmode", values.sslmode, SSL_MODES);
  const theirs = new URLSearchParams();
  for (const name of PG_NAMES) if (values[name] !== undefined) theirs.append(name, values[name]);
  const query = theirs.size === 0 ? "" : `?${theirs}`;
  return { url: `postgres://${place}${query}`, options: readOptions(values) };
}

/** pg would throw an error with the password in it. */
function assertParses(url: string): void {
  if (URL.canParse(url) || /^[a-z]+:\/\/([^@/]*@)?\//i.test(url)) return;
  throw new ConfigError(
    `"${maskUrl(url)}" is not well encoded: in user and password, write "/" as %2F, "@" as %40, "#" as %23 and "?" as %3F`,
  );
}

function readOptions(ours: Partial<Record<(typeof OUR_NAMES)[number], string>>): Parsed["options"] {
  const { schema, poolSize, timeout, maxBytes, listen, pollInterval } = ours;
  return {
    ...(schema !== undefined && { schema }),
    ...(poolSize !== undefined && { poolSize: Number(poolSize) }),
    ...(timeout !== undefined && { timeout }),
    ...(maxBytes !== undefined && { maxBytes: Number(maxBytes) }),
    ...(listen !== undefined && { listen: readFlag("listen", listen) }),
    ...(pollInterval !== undefined && { pollInterval }),
  };
}

/** Names that need no care wherever they stand in a script. */
function checkSchema(schema: string): string {
  if (typeof schema === "string" && /^[a-z_][a-z0-9_]{0,62}$/i.test(schema)) return schema;
  throw new ConfigError(`schema cannot be "${schema}": 1 to 63 letters, digits and underscores, not a digit first`);
}
