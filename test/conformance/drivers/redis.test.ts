import { testDriver } from "./suite.js";

testDriver("redis");
