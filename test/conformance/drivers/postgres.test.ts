import { testDriver } from "./suite.js";

testDriver("postgres");
