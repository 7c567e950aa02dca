import { chmod, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CERTIFICATE, KEY, makeCertificate } from "../certificate.js";
import { findProgram } from "../programs.js";
import { type PrivateServer, type Recipe, type Site, startServer } from "../server.js";
import { until } from "../until.js";
import { COOKIE, evaluate } from "./erlang.js";

/** What a RabbitMQ of a test's own can differ in. */
export interface RabbitmqOptions {
  /** More lines of rabbitmq.conf, such as "channel_max = 10". */
  readonly config?: readonly string[];
  /** It listens with TLS only. */
  readonly tls?: boolean;
}

/** What can be done to a node that runs. */
export interface RabbitmqNode {
  /** Evaluates Erlang in it, and answers what it gives, as Erlang prints it. */
  evaluate(expression: string): Promise<string>;
  /** Makes an empty virtual host, and answers its URL. */
  addVhost(name: string): Promise<string>;
  removeVhost(name: string): Promise<void>;
  /** Ends all client connections, as an operator would. */
  closeConnections(): Promise<void>;
  /** Raises, or ends, the alarm that its memory, or its disk, is full. Resolves when every connection knows of it. */
  alarm(raised: boolean, resource?: "memory" | "disk"): Promise<void>;
}

/** One RabbitMQ node. */
export interface RabbitmqServer extends PrivateServer, RabbitmqNode {
  readonly port: number;
  /** The file of the certificate to trust, with `tls`. */
  readonly ca: string;
}

/** The program behind the wrapper that would only run it as the user `rabbitmq`, in the one system-wide folder. */
const RABBITMQ = { name: "/usr/lib/rabbitmq/bin/rabbitmq-server", package: "rabbitmq-server" };

/** Between the ports of a node for clients and for Erlang: both are below those that systems give to outgoing connections. */
const DIST = 10_000;

/**
 * Starts a RabbitMQ node, in 4 to 12 s. Who starts it removes it.
 *
 * @throws Error when RabbitMQ is missing and cannot be installed, or does not start
 */
export async function startRabbitmq(options: RabbitmqOptions = {}): Promise<RabbitmqServer> {
  const server = await startServer(recipe(options));
  const { port, folder } = server.site;
  return Object.assign(server, { port, ca: join(folder, CERTIFICATE) }, nodeAt(port, server.url));
}

/** A node that runs, by the port and the URL that clients use. */
export function nodeAt(port: number, url: string): RabbitmqNode {
  const ask = (expression: string) => evaluate(port + DIST, expression);
  const all = `<<".*">>`;
  return {
    evaluate: ask,
    addVhost: async (name: string) => {
      await ask(`rabbit_vhost:add(<<"${name}">>, <<"tests">>)`);
      await ask(
        `rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"${name}">>, ${all}, ${all}, ${all}, <<"tests">>)`,
      );
      return `${url}/${name}`;
    },
    removeVhost: async (name: string) => void (await ask(`rabbit_vhost:delete(<<"${name}">>, <<"tests">>)`)),
    closeConnections: async () =>
      void (await ask(`[rabbit_networking:close_connection(P, "for a test") || P <- rabbit_networking:connections()]`)),
    alarm: async (raised: boolean, resource: "memory" | "disk" = "memory") => {
      const id = `{resource_limit, ${resource}, node()}`;
      await ask(raised ? `rabbit_alarm:set_alarm({${id}, []})` : `rabbit_alarm:clear_alarm(${id})`);
      // Connections learn of it one after another; until then they take what is published.
      await until("every connection to know of the alarm", async () => {
        const states = await ask("[rabbit_reader:info(P, [state]) || P <- rabbit_networking:local_connections()]");
        return (raised ? /running/ : /block/).test(states) ? undefined : true;
      });
    },
  };
}

function recipe(options: RabbitmqOptions): Recipe {
  const [scheme, listener] = options.tls ? ["amqps", "'amqp/ssl'"] : ["amqp", "amqp"];
  return {
    program: RABBITMQ,
    version: rabbitmqVersion,
    deadline: 60_000,
    prepare: (site) => prepare(site, options),
    environment,
    // No epmd: it would stay when the node ends, and is one for all of a machine.
    arguments: ({ port }) => ["-noinput", "-start_epmd", "false", "-erl_epmd_port", String(port + DIST)],
    url: ({ port }) => `${scheme}://guest:guest@127.0.0.1:${port}`,
    ask: async ({ port }, pid) => {
      const answer = await evaluate(port + DIST, "{os:getpid(), rabbit:is_running()}");
      if (!answer.includes(`"${pid}"`)) throw new Error(`another node listens on port ${port + DIST}`);
      if (!answer.includes("true")) throw new Error("it is still starting");
      await evaluate(
        port + DIST,
        `true = lists:member(${port}, [P || {listener, _, ${listener}, _, _, P, _} <- rabbit_networking:active_listeners()])`,
      );
    },
  };
}

/** From the folder that it is in, since its programs take seconds to say so. Such as "rabbitmq-server 3.10.8". */
export async function rabbitmqVersion(): Promise<string> {
  await findProgram(RABBITMQ);
  const [folder] = await readdir("/usr/lib/rabbitmq/lib");
  return (folder ?? "rabbitmq_server").replace("rabbitmq_server-", "rabbitmq-server ");
}

async function prepare({ port, folder }: Site, { config = [], tls = false }: RabbitmqOptions): Promise<void> {
  if (tls) await makeCertificate(folder);
  const lines = [
    ...(tls ? tlsListener(port, folder) : [`listeners.tcp.1 = 127.0.0.1:${port}`]),
    "log.console = true",
    "log.console.level = warning",
    // The machine is others' too: what it lacks is none of a test's business.
    "vm_memory_high_watermark.absolute = 1GB",
    "disk_free_limit.absolute = 10MB",
    ...config,
  ];
  await writeFile(join(folder, "rabbitmq.conf"), `${lines.join("\n")}\n`);
  await writeFile(join(folder, "enabled_plugins"), "[].\n");
  await writeFile(join(folder, ".erlang.cookie"), COOKIE);
  await chmod(join(folder, ".erlang.cookie"), 0o400);
}

function tlsListener(port: number, folder: string): string[] {
  const files = { cacertfile: CERTIFICATE, certfile: CERTIFICATE, keyfile: KEY };
  return [
    "listeners.tcp = none",
    `listeners.ssl.1 = 127.0.0.1:${port}`,
    ...Object.entries(files).map(([name, file]) => `ssl_options.${name} = ${join(folder, file)}`),
  ];
}

/** A node is told by its environment where everything is; each has a name and a folder of its own. */
function environment({ port, folder }: Site): Record<string, string> {
  return {
    HOME: folder,
    RABBITMQ_NODENAME: `taskwright${port}@localhost`,
    RABBITMQ_DIST_PORT: String(port + DIST),
    RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
    RABBITMQ_CONF_ENV_FILE: "/dev/null",
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "enabled_plugins"),
    RABBITMQ_MNESIA_BASE: join(folder, "data"),
    RABBITMQ_LOG_BASE: join(folder, "logs"),
    RABBITMQ_GENERATED_CONFIG_DIR: join(folder, "generated"),
    RABBITMQ_PID_FILE: join(folder, "pid"),
    // The Erlang process takes the place of the script, so signals reach it.
    RABBITMQ_ALLOW_INPUT: "1",
    // Schedulers without work wait for some by turning round and round, on cores that the tests need.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+sbwt none +sbwtdcpu none +sbwtdio none",
  };
}
