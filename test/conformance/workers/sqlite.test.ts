import { testWorkers } from "./suite.js";

testWorkers("sqlite");
