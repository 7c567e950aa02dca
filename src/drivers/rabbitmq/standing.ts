import type { Unsubscribe } from "../../contracts/notifier.js";
import type { Channel } from "./client.js";
import { closeQuietly } from "./closing.js";
import { toTaskwrightError } from "./errors.js";
import type { Link } from "./link.js";

/** Milliseconds until a channel that could not be set up is tried again. */
const PAUSE = 500;

/**
 * Keeps a channel open for as long as its link is: when it closes, with its connection or alone, another one is set up, as
 * often as it takes.
 *
 * @returns when the first one is set up. Throws BrokerError where that fails.
 */
export async function standing(link: Link, setUp: (channel: Channel) => Promise<void>): Promise<Unsubscribe> {
  const { clock, logger, location } = link.options;
  let stopped = false;
  let current: Channel | undefined;
  const open = async (): Promise<void> => {
    const channel = await (await link.up()).createChannel();
    let state: "new" | "ready" | "closed" = "new";
    channel.on("error", (err: Error) => logger.debug({ err, location }, "a channel that listens failed"));
    channel.on("close", () => {
      if (state === "ready") void again();
      state = "closed";
    });
    await setUp(channel);
    if (closed(state)) throw new Error("channel closed");
    state = "ready";
    current = channel;
    if (stopped) await closeQuietly(channel, "a channel of rabbitmq", logger);
  };
  const again = async (): Promise<void> => {
    while (!stopped && !link.closed) {
      try {
        return await open();
      } catch (err) {
        logger.debug({ err, location }, "rabbitmq cannot be listened to; trying again");
        await new Promise<void>((resolve) => void clock.schedule(resolve, PAUSE));
      }
    }
  };
  await open().catch((error: unknown) => {
    throw toTaskwrightError(error, location, "none");
  });
  return () => {
    stopped = true;
    if (current !== undefined) void closeQuietly(current, "a channel of rabbitmq", logger);
  };
}

/** Asked by a function: the compiler does not see that a listener changes it. */
function closed(state: string): boolean {
  return state === "closed";
}
