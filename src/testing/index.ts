/**
 * What tests of applications need: time that moves only when it is told to.
 *
 * @module
 */
export { FakeClock } from "./clock.js";
