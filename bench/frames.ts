/** AMQP 0-9-1 frames, encoded ahead of the load: what they cost is not measured. */

export const FRAME_METHOD = 1;
export const FRAME_HEADER = 2;
export const FRAME_BODY = 3;
/** Type, channel, payload length; and with the frame end. */
export const FRAME_PREFIX_BYTES = 7;
export const FRAME_OVERHEAD_BYTES = 8;
const FRAME_END = 0xce;

export function frame(type: number, channel: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(payload.length + FRAME_OVERHEAD_BYTES);
  bytes[0] = type;
  bytes.writeUInt16BE(channel, 1);
  bytes.writeUInt32BE(payload.length, 3);
  payload.copy(bytes, FRAME_PREFIX_BYTES);
  bytes[bytes.length - 1] = FRAME_END;
  return bytes;
}

export function method(channel: number, classId: number, methodId: number, ...fields: Buffer[]): Buffer {
  return frame(FRAME_METHOD, channel, Buffer.concat([u16(classId), u16(methodId), ...fields]));
}

export const u8 = (value: number): Buffer => Buffer.from([value]);

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export const shortstr = (text: string): Buffer =>
  Buffer.concat([u8(Buffer.byteLength(text)), Buffer.from(text)]);
export const longstr = (bytes: Buffer): Buffer => Buffer.concat([u32(bytes.length), bytes]);

/** A field table of strings. */
export const table = (entries: Readonly<Record<string, string>> = {}): Buffer =>
  longstr(
    Buffer.concat(
      Object.entries(entries).flatMap(([key, value]) => [
        shortstr(key),
        Buffer.from('S'),
        longstr(Buffer.from(value)),
      ]),
    ),
  );

/** Reads four bytes without a view or a call: the generator does this for every frame. */
export const readU32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

export interface EncodedPublish {
  readonly bytes: Buffer;
  /** Where the body begins. */
  readonly bodyAt: number;
}

export interface PublishRequest {
  readonly exchange: string;
  readonly routingKey: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly bodyBytes: number;
  readonly isPersistent: boolean;
}

const PROPERTY_HEADERS = 0x2000;
const PROPERTY_DELIVERY_MODE = 0x1000;
const DELIVERY_MODE_PERSISTENT = 2;

/** A publish on channel 1: method, content header, and one body frame. */
export function encodePublish(request: PublishRequest): EncodedPublish {
  const { exchange, routingKey, headers, bodyBytes, isPersistent } = request;
  const flags = (headers === undefined ? 0 : PROPERTY_HEADERS) | (isPersistent ? PROPERTY_DELIVERY_MODE : 0);
  const header = Buffer.concat([
    u16(60),
    u16(0),
    u64(bodyBytes),
    u16(flags),
    ...(headers === undefined ? [] : [table(headers)]),
    ...(isPersistent ? [u8(DELIVERY_MODE_PERSISTENT)] : []),
  ]);
  const before = Buffer.concat([
    method(1, 60, 40, u16(0), shortstr(exchange), shortstr(routingKey), u8(0)),
    frame(FRAME_HEADER, 1, header),
  ]);
  const body = frame(FRAME_BODY, 1, Buffer.alloc(bodyBytes, 'leveret '));
  return { bytes: Buffer.concat([before, body]), bodyAt: before.length + FRAME_PREFIX_BYTES };
}

/** What a method says that nobody expected; of channel.close and connection.close, code and text. */
export function describeMethod(bytes: Uint8Array, at: number): string {
  const id = readU32(bytes, at);
  const name = `method ${id >>> 16}.${id & 0xffff}`;
  if (id !== 0x0014_0028 && id !== 0x000a_0032) return name;
  const code = (bytes[at + 4]! << 8) | bytes[at + 5]!;
  const text = Buffer.from(bytes.subarray(at + 7, at + 7 + bytes[at + 6]!)).toString();
  return `${name}: ${code} ${text}`;
}
