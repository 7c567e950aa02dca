/**
 * When jobs that lost their worker are due again: not at once and not together, so that one that kills its worker does not
 * take the same neighbours along each time. Milliseconds, for leases of `lease` ms.
 */
export function redelivery(lease: number): { readonly delay: number; readonly jitter: number } {
  return { delay: lease / 30, jitter: lease / 10 };
}
