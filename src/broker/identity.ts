/**
 * Who the broker says it is. Clients branch on the product and its version, so they are RabbitMQ's, of the
 * generation whose behaviour is followed; Leveret's own name and version stand beside them.
 */
import { FieldTable } from '../amqp/field-table.js';
import { bool, longstr, table } from '../amqp/field-value.js';

/** Everything RabbitMQ announces; clients switch features off that are missing here. */
const CAPABILITIES = [
  'authentication_failure_close',
  'basic.nack',
  'connection.blocked',
  'consumer_cancel_notify',
  'consumer_priorities',
  'direct_reply_to',
  'exchange_exchange_bindings',
  'per_consumer_qos',
  'publisher_confirms',
];

/** The server-properties of connection.start, sorted by key. @param version RabbitMQ's, of the generation followed */
export function serverProperties(clusterName: string, version: string, ownVersion: string): FieldTable {
  return FieldTable.of([
    ['capabilities', table(CAPABILITIES.map((name) => [name, bool(true)] as const))],
    ['cluster_name', longstr(clusterName)],
    ['copyright', longstr('The authors of Leveret')],
    ['information', longstr('Leveret, a broker that behaves as RabbitMQ does')],
    ['platform', longstr(`Node.js ${process.versions.node}`)],
    ['product', longstr('RabbitMQ')],
    ['version', longstr(version)],
    ['x_product', longstr('Leveret')],
    ['x_version', longstr(ownVersion)],
  ]);
}
