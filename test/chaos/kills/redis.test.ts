import { testKills } from "./suite.js";

testKills("redis");
