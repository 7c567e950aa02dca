import { testWorkers } from "./suite.js";

testWorkers("redis");
