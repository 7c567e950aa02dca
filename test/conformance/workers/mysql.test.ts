import { testWorkers } from "./suite.js";

testWorkers("mysql");
