import { maskSecrets } from "./config/mask.js";
import type { Logger } from "./contracts/index.js";

/** The logger of an app that brings none: warnings and errors, one line each, on stderr, without secrets. */
export const defaultLogger: Logger = {
  debug() {},
  info() {},
  warn: (fields, message) => write("warning", fields, message),
  error: (fields, message) => write("error", fields, message),
};

function write(level: string, fields: object, message: string): void {
  const error: unknown = "err" in fields ? fields.err : undefined;
  const detail =
    error === undefined ? "" : `: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  process.stderr.write(`taskwright ${level}: ${maskSecrets(`${message}${detail}`)}\n`);
}

/** A logger that adds `fields` to each line. */
export function withFields(logger: Logger, fields: object): Logger {
  return {
    debug: (more, message) => logger.debug({ ...fields, ...more }, message),
    info: (more, message) => logger.info({ ...fields, ...more }, message),
    warn: (more, message) => logger.warn({ ...fields, ...more }, message),
    error: (more, message) => logger.error({ ...fields, ...more }, message),
  };
}

/** A logger that asks for the real one with each line, because that may be decided later. */
export function delegate(current: () => Logger): Logger {
  return {
    debug: (fields, message) => current().debug(fields, message),
    info: (fields, message) => current().info(fields, message),
    warn: (fields, message) => current().warn(fields, message),
    error: (fields, message) => current().error(fields, message),
  };
}
