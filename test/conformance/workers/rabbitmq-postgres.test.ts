import { testWorkers } from "./suite.js";

testWorkers("rabbitmq+postgres");
