import { testDriver } from "./suite.js";

testDriver("sqlite");
