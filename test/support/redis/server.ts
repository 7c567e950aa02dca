import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CERTIFICATE, KEY, makeCertificate } from "../certificate.js";
import { type PrivateServer, type Recipe, type Site, startServer } from "../server.js";
import { type Address, ask } from "./ask.js";

/** What a Redis of a test's own can differ in. */
export interface RedisOptions {
  /** Keeps data over restarts, written to disk each second or before each reply. By default a restart comes back empty. */
  readonly appendonly?: "everysec" | "always";
  /** Of the user `default`. None by default. */
  readonly password?: string;
  /** Speaks TLS on its port, with a certificate of its own, and nothing else. Default: false. */
  readonly tls?: boolean;
  /** More lines of redis.conf, such as "maxmemory 10mb". They come last, so they win. */
  readonly config?: readonly string[];
}

/** One redis-server. */
export interface RedisServer extends PrivateServer {
  readonly port: number;
  /** Its unix socket, where it listens too. */
  readonly socket: string;
  /** With `tls`: the file of the certificate that signs the server's. */
  readonly ca: string | undefined;
  /** Sends one command as a line, such as "CONFIG SET maxmemory 10mb", and answers the reply as it is on the wire. */
  ask(command: string): Promise<string>;
}

/** A sentinel is the same program. */
export const REDIS = { name: "redis-server", package: "redis-server" };
const CONFIG = "redis.conf";

/**
 * Starts a redis-server, in 30 ms. Who starts it removes it.
 *
 * @throws Error when redis-server is missing and cannot be installed, or does not start
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const server = await startServer(redisRecipe(options));
  const address = addressOf(server.site, options);
  return Object.assign(server, {
    port: server.site.port,
    socket: socketOf(server.site),
    ca: address.ca,
    ask: (command: string) => ask(address, command),
  });
}

function redisRecipe(options: RedisOptions): Recipe {
  return {
    program: REDIS,
    prepare: async (site) => {
      if (options.tls) await makeCertificate(site.folder);
      await writeFile(join(site.folder, CONFIG), `${configuration(site, options).join("\n")}\n`);
    },
    arguments: () => [CONFIG],
    url: (site) => urlOf(site, options),
    ask: (site, pid) => answersAs(pid, addressOf(site, options)),
  };
}

function configuration({ port, folder }: Site, options: RedisOptions): string[] {
  return [
    "bind 127.0.0.1",
    ...(options.tls ? ["port 0", `tls-port ${port}`, ...TLS] : [`port ${port}`]),
    `unixsocket ${socketOf({ folder })}`,
    'save ""',
    ...(options.appendonly ? ["appendonly yes", `appendfsync ${options.appendonly}`] : []),
    ...(options.password === undefined ? [] : [`requirepass ${options.password}`]),
    // A replica is there at once, not after the 5 s in which others might come.
    "repl-diskless-sync-delay 0",
    ...(options.config ?? []),
  ];
}

const TLS = [
  `tls-cert-file ${CERTIFICATE}`,
  `tls-key-file ${KEY}`,
  `tls-ca-cert-file ${CERTIFICATE}`,
  "tls-auth-clients no",
];

function socketOf({ folder }: Pick<Site, "folder">): string {
  return join(folder, "redis.sock");
}

function addressOf({ port, folder }: Site, { password, tls }: RedisOptions): Address {
  return { port, password, ca: tls ? join(folder, CERTIFICATE) : undefined };
}

function urlOf({ port }: Site, { password, tls }: RedisOptions): string {
  const login = password === undefined ? "" : `:${encodeURIComponent(password)}@`;
  return `${tls ? "rediss" : "redis"}://${login}127.0.0.1:${port}`;
}

/** Throws until a Redis or a sentinel answers commands as process `pid`, its data loaded. */
export async function answersAs(pid: number, address: Address): Promise<void> {
  const info = await ask(address, "INFO server");
  if (!info.includes(`process_id:${pid}\r\n`)) throw new Error(`another process listens on port ${address.port}`);
  await ask(address, "PING");
}
