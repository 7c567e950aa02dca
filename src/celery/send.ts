import { UnsupportedError } from "../job/errors.js";
import type { Route } from "../route.js";
import type { From } from "./canvas.js";
import { afterJoin, type Following, type Part } from "./follow.js";

/**
 * Does what follows a job: says how large new chords are, sends the jobs, stores the outcomes of those that will never run,
 * and leaves parts where chords wait for them; who leaves the last part sends the chord's body. All of it can be repeated,
 * as it is when the worker dies before the job is settled: ids are the same again, and a part replaces itself.
 */
export async function send(following: Following, from: From, route: Route, ttl: number | undefined): Promise<void> {
  const { sending, outcomes, parts } = following;
  for (const { group, parts: size } of sending.chords) await joinerOf(route).expect(group, size, ttl);
  if (sending.jobs.length > 0) await route.publishAll(sending.jobs, { broadcast: false });
  if (outcomes.length > 0) await route.backend?.store(outcomes);
  for (const part of parts) await leavePart(part, from, route, ttl);
}

async function leavePart(part: Part, from: From, route: Route, ttl: number | undefined): Promise<void> {
  const { group, index, bytes, body } = part;
  const arrival = {
    group,
    part: bytes,
    ...(index !== undefined && { index }),
    ...(ttl !== undefined && { ttl }),
  };
  const joined = await joinerOf(route).arrive(arrival);
  if (joined === undefined) return;
  // The body belongs to the group and not to the part that happened to come last.
  await send(afterJoin(body, joined, { ...from, id: group }, ttl), { ...from, id: group }, route, ttl);
  await joinerOf(route).leave(group);
}

function joinerOf({ backendAt, at }: Route): NonNullable<Route["at"]["connection"]["joiner"]> {
  const joiner = backendAt?.connection.joiner;
  if (joiner !== undefined) return joiner;
  throw new UnsupportedError(
    `${backendAt?.driver.name ?? at.driver.name} cannot join a chord: set \`backend\` to the Redis that Celery uses as its result_backend`,
  );
}
