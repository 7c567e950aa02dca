import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

/** Suites that take a minute or more come first: one that began last would leave the other cores idle at the end. */
const LONG = /test\/(conformance|chaos)\/|outages/;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): number => (LONG.test(moduleId) ? 0 : 1);
    return (await super.sort(files)).sort((one, other) => isLong(one) - isLong(other));
  }
}

export default defineConfig({
  resolve: {
    // The names that users import, resolved to the sources: tests need no build. The same list as "paths" in tsconfig.json.
    alias: [
      { find: /^taskwright$/, replacement: source("index.ts") },
      { find: /^taskwright\/drivers\/(.+)$/, replacement: source("drivers/$1/index.ts") },
      { find: /^taskwright\/orm$/, replacement: source("integrations/orm/index.ts") },
      { find: /^taskwright\/(.+)$/, replacement: source("$1/index.ts") },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/rabbitmq/run.ts",
    // The suites of drivers mostly wait for servers: one file more than there are cores, so that none of these is idle.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    // A few tests start processes; on a busy machine of two cores one start takes up to a second.
    testTimeout: 90_000,
    hookTimeout: 90_000,
  },
});
