import { accounts } from "./accounts.js";
import { broadcasting } from "./broadcasting.js";
import { cancelling } from "./cancelling.js";
import type { WorkerCaseGroup } from "./case.js";
import { crashes } from "./crashes.js";
import { fencing } from "./fencing.js";
import { shutdown } from "./shutdown.js";
import { timing } from "./timing.js";

/** The whole suite, in the order in which it runs. */
export const WORKER_CASES: readonly WorkerCaseGroup[] = [
  timing,
  cancelling,
  broadcasting,
  shutdown,
  fencing,
  crashes,
  accounts,
];
