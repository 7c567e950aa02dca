/**
 * Where taskwright writes its own log lines. The shape is pino's, so a pino logger can be passed as it is.
 *
 * @example
 * import pino from "pino";
 * const app = new Taskwright({ logger: pino() });
 */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
