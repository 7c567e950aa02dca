import { testKills } from "./suite.js";

testKills("postgres");
