/**
 * The suite that every driver must pass, for any test runner. It asserts with `node:assert` and imports no runner.
 *
 * @module
 */
export type { CaseGroup, Contract, DriverCase } from "./driver/case.js";
export { DRIVER_CASES } from "./driver/groups.js";
export { type DriverConformanceOptions, driverConformance, type Runner, type Skip } from "./driver/suite.js";
export type { OpenTransaction, Place } from "./place.js";
