import type { QueuedState, TerminalState } from "../contracts/index.js";
import type { Route } from "../route.js";

/** Where a job stands. `unknown`: nobody has heard of it, or its outcome has expired. */
export type JobState = QueuedState | TerminalState | "unknown";

/** Where a job stands by what one place knows. */
export async function stateAt(id: string, route: Route): Promise<JobState> {
  const queued = await route.at.connection.inspector?.find([id]);
  const state = queued?.[0]?.state;
  if (state !== undefined) return state;
  const [kept] = (await route.backend?.read([id])) ?? [];
  return kept?.state ?? "unknown";
}
