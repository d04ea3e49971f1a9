/** How many connections and channels are open, by who has them: what limits are compared with. */
export class ClientCounts {
  private readonly connectionsByUser = new Map<string, number>();
  private readonly connectionsByHost = new Map<string, number>();
  private readonly channelsByUser = new Map<string, number>();

  connectionsOf(userName: string): number {
    return this.connectionsByUser.get(userName) ?? 0;
  }

  connectionsIn(virtualHost: string): number {
    return this.connectionsByHost.get(virtualHost) ?? 0;
  }

  channelsOf(userName: string): number {
    return this.channelsByUser.get(userName) ?? 0;
  }

  /** @param change 1 when a connection was opened, -1 when it is gone */
  countConnection(userName: string, virtualHost: string, change: 1 | -1): void {
    add(this.connectionsByUser, userName, change);
    add(this.connectionsByHost, virtualHost, change);
  }

  /** @param change how many more, or fewer, there are */
  countChannels(userName: string, change: number): void {
    add(this.channelsByUser, userName, change);
  }
}

/** Names that nothing is counted for are forgotten. */
function add(counts: Map<string, number>, name: string, change: number): void {
  const count = (counts.get(name) ?? 0) + change;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
}
