import type { OutgoingJob, Settlement } from "../../contracts/broker.js";
import { UnsupportedError } from "../../job/errors.js";
import { LONGEST_DELAY } from "./delays.js";
import type { Mail } from "./mailer.js";
import { again, type Letter, type State, toLetter } from "./message.js";
import type { Delivery } from "./unsettled.js";

/** What is not among a broker's means is refused before anything is done. */
export function checkSettlements(settlements: readonly Settlement[], transaction: unknown): void {
  if (transaction !== undefined) throw new UnsupportedError("rabbitmq cannot settle inside a transaction");
  for (const settlement of settlements) {
    if ("outcome" in settlement && settlement.outcome !== undefined)
      throw new UnsupportedError("rabbitmq keeps no outcomes: set `backend` to a place that does");
  }
}

type Moving = Extract<Settlement, { kind: "retry" | "release" }>;

/** The copy that takes the place of a job that is to run again. */
export function mailAgain({ message, delivered, subscription }: Delivery, settlement: Moving, now: number): Mail {
  if (settlement.kind === "retry" && settlement.again !== undefined)
    return mailAnother(settlement.again, settlement, now);
  const state = stateOf(delivered);
  const { delay, kind, history = state.history } = settlement;
  const attempts = kind === "retry" ? settlement.lease.attempt : state.attempts;
  const { queue } = subscription;
  return mailLater(
    again(queue, message.properties, delivered, { ...state, attempts, history, ...dueAt(delay, now) }),
    delay,
  );
}

/** What a protocol that counts attempts in its messages puts back. Nobody has to hold it until it is due. */
function mailAnother(job: OutgoingJob, { delay, history }: Moving, now: number): Mail {
  const { id, priority, headers } = job;
  const { options, content } = toLetter(job, now);
  const state = { attempts: 0, losses: 0, history, ...dueAt(delay, now) };
  const copy = { id, priority, body: content, headers, state, newLosses: 0 };
  return { letter: again(job.queue, options, copy, state), delay };
}

/** A job as it stands, to go to the end of its queue after `delay` ms. */
export function mailOn({ message, delivered, subscription }: Delivery, delay: number, now: number): Mail {
  const state = { ...stateOf(delivered), ...dueAt(delay, now) };
  const letter = again(subscription.queue, message.properties, delivered, state);
  const { expiration } = message.properties;
  // What goes straight back to its queue may still expire there; what waits to be due may not.
  if (delay <= 0 && expiration !== undefined)
    return mailLater({ ...letter, options: { ...letter.options, expiration } }, 0);
  return mailLater(letter, delay);
}

/** The copy that goes to the dead letters. */
export function deadLetter(
  { message, delivered, subscription }: Delivery,
  { lease, reason, history }: Extract<Settlement, { kind: "dead" }>,
  now: number,
): Letter {
  const { queue } = subscription;
  const state = { ...stateOf(delivered), attempts: lease.attempt, history, reason, diedAt: now, queue };
  return again(queue, message.properties, delivered, state);
}

/** What is longer than one chain of waits is found out by the worker that it comes to. */
export function dueAt(delay: number, now: number): Pick<State, "dueAt"> {
  return { dueAt: delay > LONGEST_DELAY ? Math.round(now + delay) : undefined };
}

function mailLater(letter: Letter, delay: number): Mail {
  return { letter, delay };
}

/** With the losses that only RabbitMQ knew of. Each of them was an attempt. */
function stateOf({ state, newLosses }: Delivery["delivered"]): State {
  if (newLosses === 0) return state;
  return { ...state, attempts: state.attempts + newLosses, losses: state.losses + newLosses };
}
