import type { Client } from "../clients/client.js";
import { claiming } from "./claiming.js";
import { entries } from "./entries.js";
import { leases } from "./leases.js";
import { listing } from "./listing.js";
import { moving } from "./moving.js";
import { outcomes } from "./outcomes.js";
import { places } from "./places.js";
import { publishing } from "./publishing.js";
import { queues } from "./queues.js";
import { reports } from "./reports.js";
import { sequences } from "./sequences.js";
import { upkeep } from "./upkeep.js";

/** Every statement of the driver, prepared once a connection (1 ms for all). */
export type Statements = ReturnType<typeof prepareStatements>;

export function prepareStatements(client: Client) {
  return {
    ...preparePublishing(client, true),
    ...prepareSettling(client),
    claiming: claiming(client),
    reports: reports(client),
    entries: entries(client),
    places: places(client),
    listing: listing(client),
    upkeep: upkeep(client),
  };
}

/** What settling needs, on the driver's connection or on a user's. */
export type SettleStatements = ReturnType<typeof prepareSettling>;

export function prepareSettling(client: Client) {
  return {
    sequences: sequences(client),
    leases: leases(client),
    moving: moving(client),
    outcomes: outcomes(client),
  };
}

/** What publishing needs, on the driver's connection or on a user's. */
export type PublishStatements = ReturnType<typeof preparePublishing>;

export function preparePublishing(client: Client, rememberQueues: boolean) {
  return {
    sequences: sequences(client),
    queues: queues(client, rememberQueues),
    publishing: publishing(client),
  };
}
