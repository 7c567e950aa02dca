import { runConformanceProcess } from "./process.js";

await runConformanceProcess();
