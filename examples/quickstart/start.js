/** What `npm run quickstart` runs: builds taskwright if that is due, then runs run.ts as it is, keeping no cache of it. */
import { createJiti } from "jiti";

const jiti = createJiti(import.meta.url, { fsCache: false });
const { build, isStale } = await jiti.import("../../scripts/build.ts");
if (await isStale()) {
  console.log("building taskwright, which takes a few seconds");
  if (!(await build())) process.exit(1);
}
await jiti.import("./run.ts");
