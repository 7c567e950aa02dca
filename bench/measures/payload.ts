import type { Trial } from "./measure.js";

const BYTES = { "100b": 100, "10kb": 10_000, "500kb": 500_000 } as const;

/** The server holds them all: fewer jobs where they are large. */
const MOST_BYTES = 200_000_000;

/** `enqueue` and `process` of jobs that carry a text of so many bytes. */
export function payload(size: keyof typeof BYTES): Trial {
  return {
    name: `payload-${size}`,
    keepResults: false,
    aboutResults: false,
    ofVariants: false,
    async run(arena, jobs) {
      const count = Math.min(jobs, MOST_BYTES / BYTES[size]);
      const producer = await arena.producer();
      const enqueueing = await producer.act("enqueueTexts", count, BYTES[size]);
      const worker = await arena.worker();
      const settling = await worker.act("settleAll", count);
      return { [`enqueue-${size}`]: count / enqueueing, [`process-${size}`]: count / settling };
    },
  };
}
