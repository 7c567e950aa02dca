import { testWorkers } from "./suite.js";

testWorkers("postgres");
