/**
 * What tests of applications need: time that moves only when it is told to, chance that repeats itself, and drivers whose
 * calls go wrong.
 *
 * @module
 */
export { FakeClock } from "./clock.js";
export {
  type Fault,
  type FaultOptions,
  type FaultRule,
  type FaultyDriver,
  type InjectedFault,
  withFaults,
} from "./faults.js";
export { seededRandom } from "./random.js";
