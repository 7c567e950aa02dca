/**
 * Adds up vitest's JSON reports, given as arguments, and prints `N passed, N failed`. A report that is missing or
 * unreadable counts as one failure, since its run broke down before it could say what failed; so does a test file that
 * failed to load.
 */
import { readFile } from "node:fs/promises";

interface Count {
  readonly passed: number;
  readonly failed: number;
}

interface Suite {
  readonly status: string;
  readonly assertionResults: readonly { readonly status: string }[];
}

async function count(file: string): Promise<Count> {
  try {
    const { testResults } = JSON.parse(await readFile(file, "utf8")) as { testResults: readonly Suite[] };
    const tests = testResults.flatMap((suite) => suite.assertionResults);
    const broken = testResults.filter((suite) => suite.status === "failed" && !suite.assertionResults.some(isFailed));
    return {
      passed: tests.filter((test) => test.status === "passed").length,
      failed: tests.filter(isFailed).length + broken.length,
    };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

function isFailed(test: { readonly status: string }): boolean {
  return test.status === "failed";
}

const counts = await Promise.all(process.argv.slice(2).map(count));
const sum = (key: keyof Count) => counts.reduce((total, one) => total + one[key], 0);
console.log(`${sum("passed")} passed, ${sum("failed")} failed`);
if (sum("failed") > 0) process.exitCode = 1;
