import { broadcasting, broadcastingAside } from "./broadcasting.js";
import { cancellation, outcomesOfCancellation } from "./cancellation.js";
import type { CaseGroup } from "./case.js";
import { claiming, waiting } from "./claiming.js";
import { connectionLeases } from "./connection-leases.js";
import { coordination } from "./coordination.js";
import { delays, expiry } from "./delays.js";
import { connecting, durability, durabilityOfState } from "./durability.js";
import { inspection, intervention, outcomesOfIntervention, pausing } from "./inspection.js";
import { leases, sweeping } from "./leases.js";
import { notifications, notificationsOfSettling } from "./notifications.js";
import { outcomes, reports } from "./outcomes.js";
import { publishing, uniqueIds } from "./publishing.js";
import { queueInspection } from "./queue-inspection.js";
import { fencing, outcomesOfSettling, settling } from "./settling.js";
import { outcomesOfTransactions, transactions } from "./transactions.js";
import { unsupported } from "./unsupported.js";

/** Everything that a driver must do, by subject. */
export const DRIVER_CASES: readonly CaseGroup[] = [
  connecting,
  publishing,
  uniqueIds,
  claiming,
  waiting,
  settling,
  outcomesOfSettling,
  fencing,
  leases,
  connectionLeases,
  sweeping,
  delays,
  expiry,
  cancellation,
  outcomesOfCancellation,
  outcomes,
  reports,
  notifications,
  notificationsOfSettling,
  coordination,
  broadcasting,
  broadcastingAside,
  inspection,
  intervention,
  outcomesOfIntervention,
  pausing,
  queueInspection,
  transactions,
  outcomesOfTransactions,
  durability,
  durabilityOfState,
  unsupported,
];
