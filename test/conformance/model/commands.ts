import fc from "fast-check";

/** Few of each, so that commands meet. */
export const QUEUES = ["a", "b"] as const;
export const IDS = ["red", "green", "blue", "white", "black", "grey"] as const;
export const CONSUMERS = 2;
/** How long a lease lasts, in ms. */
export const LEASE = 40;

const queue = fc.constantFrom(...QUEUES);
const id = fc.constantFrom(...IDS);
const span = fc.constantFrom(0, 0, 10, 25, 60);
const pick = fc.nat(20);
const consumer = fc.nat(CONSUMERS - 1);

const job = fc.record({
  id,
  queue,
  priority: fc.constantFrom(0, 0, 5, 9),
  delay: span,
  expiresIn: fc.constantFrom(1_000_000, 30),
});

const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("publish" as const), jobs: fc.array(job, { maxLength: 4 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("claim" as const),
      consumer,
      queues: fc.constantFrom([...QUEUES], [...QUEUES].reverse(), [QUEUES[0]]),
      max: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("settle" as const),
      how: fc.constantFrom("complete" as const, "retry" as const, "dead" as const, "release" as const),
      /** Which of all leases ever given, counted from the newest: often one that is long lost. */
      lease: pick,
      delay: span,
      keep: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("extend" as const), lease: pick }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("advance" as const), ms: fc.constantFrom(1, 10, 25, 45) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("sweep" as const), delay: span }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cancel" as const), id }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("pause" as const), queue, paused: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("resurrect" as const), id }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("discard" as const), id }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("forget" as const), id }) },
);

export const commands = fc.array(command, { minLength: 10, maxLength: 60 });

type CommandOf<T> = T extends fc.Arbitrary<infer Value> ? Value : never;
export type Command = CommandOf<typeof command>;
export type CommandKind<K extends Command["kind"]> = Extract<Command, { kind: K }>;
