import { describe, expect, it } from 'vitest';
import { preconditionFailed } from '../../src/amqp/errors.js';
import { canonicalKey, FieldTable } from '../../src/amqp/field-table.js';
import { longstr, signedint } from '../../src/amqp/field-value.js';
import { directExchange } from '../../src/exchanges/direct.js';
import { Exchange } from '../../src/exchanges/exchange.js';
import type { ExchangeTypeDefinition } from '../../src/exchanges/exchange-type.js';
import { headersExchange } from '../../src/exchanges/headers.js';
import { SeededRandom } from '../../src/lib/random.js';
import { destination, exchangeOf, tableOf } from './messages.js';

describe('Exchange', () => {
  it('has the properties it was declared with', () => {
    const args = tableOf(['alternate-exchange', longstr('unrouted')]);
    const exchange = new Exchange(
      {
        name: 'orders',
        type: directExchange,
        durable: false,
        autoDelete: true,
        internal: true,
        arguments: args,
      },
      new SeededRandom(1),
    );
    expect(exchange).toMatchObject({
      name: 'orders',
      typeName: 'direct',
      durable: false,
      autoDelete: true,
      internal: true,
      alternateExchange: 'unrouted',
      bindingCount: 0,
    });
    expect(exchange.arguments).toBe(args);
  });

  it('has no alternate exchange without a longstr argument', () => {
    expect(exchangeOf(directExchange).alternateExchange).toBeUndefined();
    const args = tableOf(['alternate-exchange', signedint(1)]);
    expect(exchangeOf(directExchange, args).alternateExchange).toBeUndefined();
  });

  it('does not come to be with arguments its type refuses', () => {
    const picky: ExchangeTypeDefinition = {
      ...directExchange,
      validateArguments() {
        throw preconditionFailed('no');
      },
    };
    expect(() => exchangeOf(picky)).toThrow('PRECONDITION_FAILED - no');
  });

  it('is unchanged by a binding its type refuses', () => {
    const exchange = exchangeOf(headersExchange);
    const args = tableOf(['x-match', longstr('some')]);
    expect(() => exchange.bind(destination('q'), '', args)).toThrow('PRECONDITION_FAILED');
    expect(exchange.bindingCount).toBe(0);
    expect([...exchange.bindings()]).toEqual([]);
  });

  it('does not take the end of a key for arguments', () => {
    const exchange = exchangeOf(directExchange);
    const queue = destination('q');
    const args = tableOf(['k', longstr('v')]);
    expect(exchange.bind(queue, 'a', args)).toBe(true);
    expect(exchange.bind(queue, `a${canonicalKey(args)}`, FieldTable.EMPTY)).toBe(true);
    expect(exchange.bindingCount).toBe(2);
  });
});
