import { maskSecrets } from "../../config/mask.js";
import { BrokerError, ConfigError, type OperationOutcome, TaskwrightError } from "../../job/errors.js";

/** What only other settings change, by what RabbitMQ, amqplib or Node says, and what to do about it. */
const DENIALS: readonly (readonly [sign: RegExp, advice: string])[] = [
  [
    /Handshake terminated by server: 403|ACCESS-REFUSED\) with message "ACCESS_REFUSED - Login/,
    "user or password is wrong: write amqp://user:password@host",
  ],
  [
    /Expected ConnectionOpenOk/,
    "the virtual host does not exist, or the user may not use it: correct the end of the URL, or run `rabbitmqctl add_vhost` and `rabbitmqctl set_permissions`",
  ],
  [
    /\b403\b.*ACCESS.REFUSED/,
    "the user may not do that: give it the permissions to configure, write and read (`rabbitmqctl set_permissions`), and use no queue name that begins with `amq.`",
  ],
  [
    /\b406\b.*inequivalent arg/,
    "the queue exists with other settings than these: set queueType and maxPriority to what it was declared with, or delete it",
  ],
  [/\b406\b.*invalid arg/, "RabbitMQ does not know a setting of the queue: it may be too old for this queueType"],
  [/\b405\b/, "the queue belongs to another connection alone: use another name"],
  [
    /does not match certificate/,
    "its certificate is for other names: connect by one of them, or say which with `tls: { servername }`",
  ],
  [/wrong version number/, "it answers without TLS: write amqp://, or the port at which it has TLS, usually 5671"],
  [/self.signed certificate|unable to verify|certificate/i, "its certificate is not trusted: give `tls: { ca }`"],
];

const TROUBLES: readonly (readonly [sign: RegExp, advice: string])[] = [
  [/\bECONNREFUSED\b/, "nobody listens there: start the server, or correct the address"],
  [/\b(ENOTFOUND|EAI_AGAIN)\b/, "the name of the host is not known: correct the address, or look into the DNS"],
  [
    /\b(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)\b|no connection within/,
    "it cannot be reached: look into network and firewall",
  ],
  [
    /delivery acknowledgement on channel .* timed out/,
    "a job ran for longer than RabbitMQ's `consumer_timeout` (30 minutes): raise it in rabbitmq.conf",
  ],
  [/Heartbeat timeout/, "it was silent for two heartbeats"],
  [
    /CONNECTION.FORCED|connection is closed|Channel ended|channel closed|Channel closed|Unexpected close|ECONNRESET|EPIPE/,
    "the connection broke",
  ],
];

/** A failure as the core knows it. `outcome`: what is known of the call where the connection and not the server failed. */
export function toTaskwrightError(error: unknown, location: string, outcome: OperationOutcome): TaskwrightError {
  if (error instanceof TaskwrightError) return error;
  const message = maskSecrets(firstLine(messageOf(error)));
  const at = `rabbitmq at ${location}`;
  const denial = adviceIn(DENIALS, message);
  if (denial !== undefined) return new ConfigError(`${at}: ${denial} (${message})`, { cause: error });
  const trouble = adviceIn(TROUBLES, message);
  return new BrokerError(`${at}: ${trouble === undefined ? message : `${trouble} (${message})`}`, {
    cause: error,
    outcome,
  });
}

/** The server is there and does not let this user in, which only other settings change. */
export function isDenial(error: unknown): boolean {
  return adviceIn(DENIALS, messageOf(error)) !== undefined;
}

function adviceIn(table: typeof DENIALS, message: string): string | undefined {
  return table.find(([sign]) => sign.test(message))?.[1];
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(String).join("; ");
  return error instanceof Error ? error.message : String(error);
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0] ?? "";
}
