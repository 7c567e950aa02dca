import type { OutgoingJob, PublishStatus } from "../contracts/index.js";

/** A job on its way, and who wants to know. */
export interface Publishing {
  readonly job: OutgoingJob;
  readonly broadcast: boolean;
  published(status: PublishStatus | undefined): void;
  failed(error: unknown): void;
}
