/** What `INFO` says of a server that matters here. */
export interface ServerInfo {
  /** Such as `"Redis 7.0.15"`. */
  readonly server: string;
  readonly version: readonly [major: number, minor: number];
  /** `maxmemory-policy`. Absent: the server does not tell. */
  readonly evicts?: string;
  /** Bytes; 0 for no limit. */
  readonly memoryLimit: number;
  readonly appendOnly?: boolean;
}

export function parseInfo(text: string): ServerInfo {
  const fields = new Map(
    text.split("\r\n").map((line) => [line.split(":", 1)[0] ?? "", line.slice(line.indexOf(":") + 1)]),
  );
  const valkey = fields.get("valkey_version");
  // Valkey also says that it is Redis 7.2.
  const version = valkey ?? fields.get("redis_version") ?? "0.0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const evicts = fields.get("maxmemory_policy");
  const aof = fields.get("aof_enabled");
  return {
    server: `${valkey === undefined ? "Redis" : "Valkey"} ${version}`,
    version: [major, minor],
    memoryLimit: Number(fields.get("maxmemory") ?? 0),
    ...(evicts !== undefined && { evicts }),
    ...(aof !== undefined && { appendOnly: aof === "1" }),
  };
}

/** What the operator should change, each one sentence. */
export function warningsOf({ evicts, memoryLimit, appendOnly }: ServerInfo): string[] {
  const warnings: string[] = [];
  if (evicts !== undefined && evicts !== "noeviction") {
    const when = memoryLimit === 0 ? "once `maxmemory` is set and reached" : "when its memory is full";
    warnings.push(
      `maxmemory-policy is ${evicts}: Redis will delete jobs ${when}; set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in redis.conf).`,
    );
  }
  if (appendOnly === false) {
    warnings.push(
      "appendonly is off: jobs since the last snapshot are lost when Redis restarts; turn it on (CONFIG SET appendonly yes, and in redis.conf).",
    );
  }
  return warnings;
}
