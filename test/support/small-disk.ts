import { spawnSync } from "node:child_process";

/** The folder of a server's small disk, within the server's own. */
export const SMALL_DISK = "small";

/**
 * Mounts a disk that lives in memory where only the program sees it, so it goes with the program; then becomes the program.
 * The disk belongs to whom the folder belonged to.
 */
const MOUNTED = `size=$1; path=$2; shift 2
mount -t tmpfs -o "size=\${size}m,mode=0700,uid=$(stat -c %u "$path"),gid=$(stat -c %g "$path")" none "$path" && exec "$@"`;

/** What starts a server that has a disk of so many MiB at `path`, before its own command. */
export function withSmallDisk(megabytes: number, path: string): string[] {
  return ["unshare", "--mount", "sh", "-c", MOUNTED, "mounted", String(megabytes), path];
}

/** Disks are for root to mount, and not in every container. */
export function canMount(): boolean {
  const [program = "", ...args] = withSmallDisk(1, "/tmp");
  return spawnSync(program, [...args, "true"]).status === 0;
}
