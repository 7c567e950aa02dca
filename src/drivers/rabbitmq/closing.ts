import type { Logger } from "../../contracts/logger.js";

/**
 * Closes a channel or a connection that nobody needs any more. That it has broken meanwhile changes nothing for whoever closes
 * it, and is logged for who looks into why.
 *
 * @param what - Such as `"a channel of rabbitmq"`.
 */
export async function closeQuietly(it: { close(): Promise<void> }, what: string, logger: Logger): Promise<void> {
  try {
    await it.close();
  } catch (error) {
    logger.debug({ err: error }, `${what} had closed by itself when it was to be closed`);
  }
}
