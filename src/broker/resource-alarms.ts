/**
 * The alarms that hold publishers back (rabbitmq.com/docs/alarms): memory and disk. While any is on, whoever
 * publishes next stops being read, until all are over.
 */
export type Resource = 'memory' | 'disk';

export interface AlarmListener {
  /** The last alarm is over. */
  onAlarmsCleared(): void;
}

export class ResourceAlarms {
  isActive = false;
  private readonly active = new Set<Resource>();
  private readonly listeners = new Set<AlarmListener>();
  private readonly onChange: (resource: Resource, isActive: boolean) => void;

  constructor(onChange: (resource: Resource, isActive: boolean) => void) {
    this.onChange = onChange;
  }

  /** The reason in connection.blocked, in RabbitMQ's words. */
  get reason(): string {
    return [...this.active].map((resource) => `low on ${resource}`).join(' & ');
  }

  set(resource: Resource, isActive: boolean): void {
    if (this.active.has(resource) === isActive) return;
    if (isActive) this.active.add(resource);
    else this.active.delete(resource);
    this.isActive = this.active.size > 0;
    this.onChange(resource, isActive);
    if (this.isActive) return;
    const listeners = [...this.listeners];
    this.listeners.clear();
    for (const listener of listeners) listener.onAlarmsCleared();
  }

  /** `listener` is told once, when the last alarm is over. */
  onceCleared(listener: AlarmListener): void {
    this.listeners.add(listener);
  }

  forget(listener: AlarmListener): void {
    this.listeners.delete(listener);
  }
}
