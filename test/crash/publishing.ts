/** A publisher of a crash test: bursts of persistent messages, with confirms. */
import type { ConfirmChannel } from 'amqplib';
import { type Choices, chooseBody } from './choices.js';
import type { Ledger } from './ledger.js';
import { checksumOf, propertiesOf } from './messages.js';
import { chooseDestination } from './topology.js';

const BURST_MAX = 20;
const PAUSE_MS_MAX = 12;

export interface PublishingOptions {
  readonly name: string;
  readonly channel: ConfirmChannel;
  readonly ledger: Ledger;
  readonly choices: Choices;
  readonly isStopped: () => boolean;
  readonly onConfirm: () => void;
}

/** Publishes until it is stopped. */
export async function publishUntilStopped(options: PublishingOptions): Promise<void> {
  const { name, channel, ledger, choices } = options;
  let unconfirmed = 0;
  let wake = (): void => {};
  // Ends the wait of a publisher whose broker is gone, too.
  channel.on('close', () => wake());
  while (!options.isStopped()) {
    for (let left = choices.between(1, BURST_MAX); left > 0; left--) {
      const { exchange, routingKey, queues } = chooseDestination(choices);
      const body = chooseBody(choices);
      const entry = ledger.published(name, queues, checksumOf(body));
      unconfirmed++;
      channel.publish(exchange, routingKey, body, propertiesOf(entry), (error) => {
        unconfirmed--;
        if (error === null) {
          ledger.confirmed(entry);
          options.onConfirm();
        }
        wake();
      });
    }
    const windowMax = choices.between(0, 2 * BURST_MAX);
    while (unconfirmed > windowMax && !options.isStopped()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const pauseMs = choices.between(0, PAUSE_MS_MAX);
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
