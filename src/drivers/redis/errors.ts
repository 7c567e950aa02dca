import { BrokerError, ConfigError, type OperationOutcome, TaskwrightError } from "../../job/errors.js";

/** What Redis says, by how it begins or what is in it, and what to do about it. All of these are said before anything is written. */
const REFUSALS: readonly (readonly [sign: RegExp, advice: string])[] = [
  [/\bOOM\b/, "its memory is full: raise `maxmemory`, or let workers catch up"],
  [/\bREADONLY\b/, "this is a replica: taskwright looks for the primary again"],
  [/\bLOADING\b/, "it is loading its data after a start"],
  [/\bMASTERDOWN\b/, "its primary is away"],
  [/\bCLUSTERDOWN\b/, "the cluster does not serve all of its slots"],
  [/\bTRYAGAIN\b/, "the cluster is moving the keys"],
  [/\bBUSY\b/, "it is busy with somebody's slow script"],
  [/\bMISCONF\b/, "it cannot save to its disk, and is configured to refuse writes then: look into its log"],
  [/\bNOREPLICAS\b/, "too few of its replicas are there (`min-replicas-to-write`)"],
  [/max number of clients/, "it has no connection left: raise `maxclients`"],
];

const DENIALS: readonly (readonly [sign: RegExp, advice: string])[] = [
  [
    /\b(NOAUTH|WRONGPASS)\b|invalid username-password/,
    "user or password is missing or wrong: write redis://user:password@host",
  ],
  [
    /\bNOPERM\b/,
    "the user may not do that: allow it all keys and channels of the prefix, and scripts (`~{prefix}:* &{prefix}:* +@all`)",
  ],
  [/DB index is out of range/, "it has no database of that number"],
  [/\bNOPROTO\b/, "it does not speak the protocol"],
];

const TROUBLES: readonly (readonly [sign: RegExp, advice: string])[] = [
  [/\bECONNREFUSED\b|\bENOENT\b/, "nobody listens there: start the server, or correct the address"],
  [/\b(ENOTFOUND|EAI_AGAIN)\b/, "the name of the host is not known: correct the address, or look into the DNS"],
  [
    /\b(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)\b|no connection within/,
    "it cannot be reached: look into network and firewall",
  ],
];

/** A failure as the core knows it. `outcome`: what is known of the call where the connection and not the server failed. */
export function toTaskwrightError(error: unknown, location: string, outcome: OperationOutcome): TaskwrightError {
  if (error instanceof TaskwrightError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const at = `redis at ${location}`;
  for (const [sign, advice] of DENIALS) {
    if (sign.test(message)) return new ConfigError(`${at}: ${advice} (${firstLine(message)})`, { cause: error });
  }
  for (const [sign, advice] of REFUSALS) {
    if (sign.test(message)) return new BrokerError(`${at}: ${advice} (${firstLine(message)})`, { cause: error });
  }
  return new BrokerError(`${at}: ${troubleOf(error, message)}`, { cause: error, outcome });
}

/** What is wrong with the connection, and what to do about it. */
function troubleOf(error: unknown, message: string): string {
  if (error instanceof Error && error.name === "MaxRetriesPerRequestError")
    return "the connection broke before the answer came";
  const advice = TROUBLES.find(([sign]) => sign.test(message))?.[1];
  return advice === undefined ? firstLine(message) : `${advice} (${firstLine(message)})`;
}

/** The server is there and does not let this user or database in, which only other settings change. */
export function isDenial(error: Error): boolean {
  return DENIALS.some(([sign]) => sign.test(error.message));
}

/** The server has not seen this script, or has been told to forget it. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0] ?? "";
}
