import { testKills } from "./suite.js";

testKills("mysql");
