import type { EventListener, EventMap, EventName } from "../events.js";
import type { LineLogger } from "./log.js";

type Level = "debug" | "info" | "warn" | "error";

/** Anything with the events of a worker. */
interface Source {
  on<Name extends EventName>(name: Name, listener: EventListener<Name>): unknown;
}

/** How each event is logged. Its fields go along as they are. */
const LINES: { readonly [Name in EventName]: readonly [level: Level, message: string] } = {
  "job:enqueued": ["debug", "job enqueued"],
  "job:started": ["debug", "job started"],
  "job:completed": ["info", "job completed"],
  "job:retrying": ["warn", "job failed, to be retried"],
  "job:dead": ["error", "job failed for good"],
  "job:cancelled": ["info", "job cancelled"],
  "job:released": ["info", "job given back"],
  "job:lost": ["warn", "job lost to another worker"],
  // The worker's own log has it already.
  "broadcast:failed": ["debug", "broadcast failed"],
  "worker:started": ["info", "worker started"],
  "worker:stopping": ["debug", "worker stopping"],
  "worker:stopped": ["info", "worker stopped"],
  "worker:error": ["warn", "broker trouble, trying again"],
};

/** Logs a line for each event of the worker. What the level leaves out is not even listened to. */
export function logEvents(source: Source, logger: LineLogger): void {
  for (const name of Object.keys(LINES) as EventName[]) {
    const [level, message] = LINES[name];
    if (!logger.enabled(level)) continue;
    source.on(name, ((event: EventMap[EventName][0]) => logger[level](event, message)) as EventListener<typeof name>);
  }
}
