import type { Tables } from "../sql.js";
import { claiming } from "./claiming.js";
import { entries } from "./entries.js";
import { leases } from "./leases.js";
import { listing } from "./listing.js";
import { looking } from "./looking.js";
import { moving } from "./moving.js";
import { outcomes } from "./outcomes.js";
import { places } from "./places.js";
import { publishing } from "./publishing.js";
import { reports } from "./reports.js";
import { slices } from "./slices.js";

/** Every statement of the driver, over the tables of one prefix. */
export type Statements = ReturnType<typeof statementsOf>;

/** @param packet About how many bytes of jobs or outcomes one statement may carry. */
export function statementsOf(tables: Tables, packet: number) {
  return {
    packet,
    publishing: publishing(tables),
    slices: slices(tables),
    claiming: claiming(tables),
    leases: leases(tables),
    looking: looking(tables),
    moving: moving(tables),
    outcomes: outcomes(tables, packet),
    reports: reports(tables),
    entries: entries(tables),
    places: places(tables),
    listing: listing(tables),
  };
}
