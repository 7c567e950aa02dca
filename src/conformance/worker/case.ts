import type { Capabilities } from "../../contracts/capabilities.js";
import type { WorkerContext } from "./context.js";

/** One thing that workers on a driver must do. */
export interface WorkerCase {
  /** What holds, as a sentence that starts with a verb. */
  readonly name: string;
  /** The case is about drivers of these capabilities only. Absent: about all. */
  readonly requires?: (capabilities: Capabilities) => boolean;
  /** Throws where it does not hold. */
  run(context: WorkerContext): Promise<void>;
}

/** Cases about one subject. */
export interface WorkerCaseGroup {
  readonly name: string;
  readonly cases: readonly WorkerCase[];
}
