import { testDriver } from "./suite.js";

testDriver("memory");
