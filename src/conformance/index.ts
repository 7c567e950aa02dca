/**
 * The suite that every driver must pass, for any test runner. It asserts with `node:assert` and imports no runner.
 *
 * @module
 */
export type { CaseGroup, Contract, DriverCase } from "./driver/case.js";
export { DRIVER_CASES } from "./driver/groups.js";
export { type DriverConformanceOptions, driverConformance, type Runner } from "./driver/suite.js";
export type { OpenTransaction, Place } from "./place.js";
export type { Skip } from "./skips.js";
export type { WorkerCase, WorkerCaseGroup } from "./worker/case.js";
export { WorkerContext } from "./worker/context.js";
export { Crew } from "./worker/crew.js";
export { WORKER_CASES } from "./worker/groups.js";
export type { SharedPlace } from "./worker/place.js";
export { type OpenUrl, runConformanceProcess } from "./worker/process.js";
export { type WorkerConformanceOptions, workerConformance } from "./worker/suite.js";
