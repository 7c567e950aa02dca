import type { Peer } from "../contestant.js";
import { plainjob } from "./plainjob.js";

/** All peers. One more is one more file and one more line here, and its packages in `bench/package.json`. */
export const PEERS: readonly Peer[] = [plainjob];
