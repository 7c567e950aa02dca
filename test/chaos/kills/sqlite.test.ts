import { testKills } from "./suite.js";

testKills("sqlite");
