import { testDriver } from "./suite.js";

testDriver("mysql");
