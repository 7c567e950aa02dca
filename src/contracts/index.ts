/**
 * The contracts between taskwright and its drivers: types and documentation, and the few constants they need.
 *
 * @module
 */
export type * from "./backend.js";
export type * from "./broadcaster.js";
export type * from "./broker.js";
export { DEAD_REASONS } from "./broker.js";
export type { Capabilities } from "./capabilities.js";
export { DEFAULT_CAPABILITIES } from "./capabilities.js";
export type { CancelTimer, Clock, Random, When } from "./clock.js";
export { resolveWhen } from "./clock.js";
export type * from "./coordinator.js";
export type * from "./driver.js";
export type * from "./exchanges.js";
export type * from "./inspector.js";
export type * from "./joiner.js";
export type * from "./logger.js";
export type * from "./migrator.js";
export type * from "./notifier.js";
export type * from "./queue-inspector.js";
export type * from "./transaction.js";
