import { maskUrl } from "../../config/mask.js";
import { ConfigError } from "../../job/errors.js";

/** A server, as a URL names it. */
export interface Host {
  readonly host: string;
  readonly port: number;
}

/** What stands before the `@` of a URL, decoded. Empty: not given. */
export interface Login {
  readonly user: string;
  readonly password: string;
}

/**
 * Reads `host[:port][,host[:port]...]` of a URL. Without any it is 127.0.0.1.
 *
 * @throws {ConfigError} with the URL, its password masked.
 */
export function readHosts(hosts: string, defaultPort: number, url: string): readonly Host[] {
  return (hosts === "" ? "127.0.0.1" : hosts).split(",").map((host) => {
    const match = /^(\[[^\]]+\]|[^:@]+)(?::(\d+))?$/.exec(host.trim());
    const port = Number(match?.[2] ?? defaultPort);
    // The host is not shown by itself: it is a part of the password when that is not encoded.
    if (!match?.[1] || port === 0 || port > 65_535)
      throw new ConfigError(
        `"${maskUrl(url)}" has a host that is not host or host:port (in a password, write "/" as %2F and "@" as %40)`,
      );
    return { host: match[1].replace(/^\[|\]$/g, ""), port };
  });
}

/** Reads `user:password` of a URL. Undefined where it has none. */
export function readLogin(login: string | undefined, url: string): Login | undefined {
  if (login === undefined) return undefined;
  const [user = "", ...rest] = login.split(":");
  return { user: decodePart(user, url), password: decodePart(rest.join(":"), url) };
}

/** Reads a part of a URL in which characters may be written as `%2F`. */
export function decodePart(part: string, url: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ConfigError(`"${maskUrl(url)}" is not well encoded: write a percent sign as %25`);
  }
}
