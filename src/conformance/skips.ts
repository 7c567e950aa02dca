import { ConfigError } from "../job/errors.js";

/** Cases that a driver does not pass yet, and why not. */
export interface Skip {
  /** Shown beside each case. */
  readonly reason: string;
  /** `"group: case"`, as the suite names them. */
  readonly tests: readonly string[];
}

interface CaseNames {
  readonly name: string;
  readonly cases: readonly { readonly name: string }[];
}

/**
 * Why each skipped case is skipped.
 *
 * @throws ConfigError for a skip without a reason, or of a case that does not exist.
 */
export function reasonsByCase(skips: readonly Skip[], groups: readonly CaseNames[]): Map<string, string> {
  const known = new Set(groups.flatMap((group) => group.cases.map((one) => `${group.name}: ${one.name}`)));
  const reasons = new Map<string, string>();
  for (const { reason, tests } of skips) {
    if (reason.trim() === "") throw new ConfigError(`a skip needs its reason: ${tests.join("; ")}`);
    for (const test of tests) {
      if (!known.has(test)) throw new ConfigError(`a skip names "${test}", which is no case of the suite`);
      reasons.set(test, reason);
    }
  }
  return reasons;
}
