import { test } from "vitest";

/** Says why a file has no tests now. */
export function notSelected(name: string): void {
  test.skip(`${name} is not among the drivers of DRIVERS`, () => {});
}
