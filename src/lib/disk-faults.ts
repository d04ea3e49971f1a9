/** Which operations of the simulated disk fail, and how. */

/** `short`: a write or a read moves fewer bytes than it was asked to (at least one); other operations succeed. */
export type DiskFault = 'EIO' | 'ENOSPC' | 'EDQUOT' | 'EMFILE' | 'EACCES' | 'EROFS' | 'short';

export class DiskFaults {
  private readonly single = new Map<number, DiskFault>();
  private lasting: { readonly from: number; readonly fault: DiskFault } | undefined;
  private recurring: { readonly kind: RegExp; readonly fault: DiskFault } | undefined;

  add(number: number, fault: DiskFault, lasting: 'once' | 'lasting'): void {
    if (lasting === 'once') this.single.set(number, fault);
    else this.lasting = { from: number, fault };
  }

  every(kind: RegExp, fault: DiskFault): void {
    this.recurring = { kind, fault };
  }

  clear(): void {
    this.single.clear();
    this.lasting = undefined;
    this.recurring = undefined;
  }

  /** @param description as in the log, without number and outcome */
  of(number: number, description: string): DiskFault | undefined {
    if (this.recurring?.kind.test(description) === true) return this.recurring.fault;
    const once = this.single.get(number);
    if (once !== undefined || this.lasting === undefined) return once;
    return number >= this.lasting.from ? this.lasting.fault : undefined;
  }
}
