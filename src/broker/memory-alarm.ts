/**
 * The memory alarm: on while the messages held take more memory than allowed. Publishers are then held back
 * (rabbitmq.com/docs/memory): whoever publishes next stops being read until the alarm is over.
 */
export interface AlarmListener {
  /** The alarm is over. */
  onAlarmCleared(): void;
}

export class MemoryAlarm {
  readonly limitBytes: number;
  isActive = false;
  private readonly listeners = new Set<AlarmListener>();
  private readonly onChange: (isActive: boolean, heldBytes: number) => void;

  constructor(limitBytes: number, onChange: (isActive: boolean, heldBytes: number) => void) {
    this.limitBytes = limitBytes;
    this.onChange = onChange;
  }

  /** Tells the alarm what is held now. */
  update(heldBytes: number): void {
    const isActive = heldBytes > this.limitBytes;
    if (isActive === this.isActive) return;
    this.isActive = isActive;
    this.onChange(isActive, heldBytes);
    if (isActive) return;
    const listeners = [...this.listeners];
    this.listeners.clear();
    for (const listener of listeners) listener.onAlarmCleared();
  }

  /** `listener` is told once, when the alarm is over. */
  onceCleared(listener: AlarmListener): void {
    this.listeners.add(listener);
  }

  forget(listener: AlarmListener): void {
    this.listeners.delete(listener);
  }
}
