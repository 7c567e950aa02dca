import { testDriver } from "./suite.js";

testDriver("rabbitmq");
