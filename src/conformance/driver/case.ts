import type { Capabilities } from "../../contracts/capabilities.js";
import type { Connection } from "../../contracts/driver.js";
import type { CaseContext } from "./context.js";

/** The parts of a connection that a driver may have or lack. */
export type Contract = Exclude<keyof Connection, "ping" | "close">;

/** One thing that a driver must do. */
export interface DriverCase {
  /** What holds, as a sentence that starts with a verb. */
  readonly name: string;
  /** The case is about drivers of these capabilities only. Absent: about all. */
  readonly requires?: (capabilities: Capabilities) => boolean;
  /** Throws where it does not hold. */
  run(context: CaseContext): Promise<void>;
}

/** Cases about one subject. */
export interface CaseGroup {
  readonly name: string;
  /** What a connection must have for these cases to make sense. */
  readonly contracts: readonly Contract[];
  readonly cases: readonly DriverCase[];
}
