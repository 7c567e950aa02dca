import { testKills } from "./suite.js";

testKills("rabbitmq+sqlite");
