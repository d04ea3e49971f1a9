import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HandOut } from '../../src/queues/ready-index.js';
import { TwoLevelIndex } from '../../src/queues/two-level-index.js';

const HIGH = 5;
const NORMAL = 4;

/** The order of RabbitMQ 4.2 said again, in the plainest way: lists of arrival numbers. */
class PlainOrder {
  readonly high: number[] = [];
  readonly normal: number[] = [];
  private counter = 0;

  push(position: number, isHigh: boolean): void {
    (isHigh ? this.high : this.normal).push(position);
  }

  shift(): number | undefined {
    if (this.high.length + this.normal.length === 0) return undefined;
    const isTurnOfNormal = this.counter === 2;
    this.counter = isTurnOfNormal ? 0 : this.counter + 1;
    const [high, normal] = [this.high[0], this.normal[0]];
    const isHigh = high !== undefined && (normal === undefined || !isTurnOfNormal || high < normal);
    return isHigh ? this.high.shift() : this.normal.shift();
  }
}

const operation = fc.constantFrom('high', 'normal', 'shift', 'shift', 'look', 'clear');

it('serves two levels as RabbitMQ does, and shows what it will serve', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 400 }), (operations) => {
      const index = new TwoLevelIndex();
      const plain = new PlainOrder();
      let arrivals = 0;
      const shift = (): number | undefined => {
        if (index.length === 0) return undefined;
        const peeked = index.peek();
        const position = index.shift();
        expect(peeked).toBe(position);
        return position;
      };
      for (const kind of operations) {
        if (kind === 'shift') {
          expect(shift()).toBe(plain.shift());
        } else if (kind === 'look') {
          const seen: number[] = [];
          index.visitHead(10, (position) => seen.push(position));
          for (const position of seen) {
            expect(shift()).toBe(position);
            expect(plain.shift()).toBe(position);
          }
          expect(seen.length === 10 || index.length === 0).toBe(true);
        } else if (kind === 'clear') {
          if (arrivals % 7 !== 0) continue;
          index.clear(
            () => {},
            () => {},
          );
          plain.high.length = plain.normal.length = 0;
        } else {
          index.push(++arrivals, kind === 'high' ? HIGH : NORMAL);
          plain.push(arrivals, kind === 'high');
        }
        expect(index.length).toBe(plain.high.length + plain.normal.length);
      }
    }),
  );
});

it('takes what precedes a presumed hand-out in its level for handed out too', () => {
  const index = new TwoLevelIndex();
  index.recover(1, HandOut.Never, HIGH);
  index.recover(2, HandOut.Presumed, HIGH);
  index.recover(3, HandOut.Never, NORMAL);
  index.push(4, HIGH);
  expect(index.hasPresumedHandOuts).toBe(true);
  const seen: (readonly [number, boolean])[] = [];
  index.visitHead(9, (position, redelivered) => seen.push([position, redelivered]));
  const served: (readonly [number, boolean])[] = [];
  while (index.length > 0) served.push([index.shift(), index.lastRedelivered]);
  expect(served).toEqual([
    [1, true],
    [2, true],
    [3, false],
    [4, false],
  ]);
  expect(seen).toEqual(served);
  expect(index.hasPresumedHandOuts).toBe(false);
});
