/**
 * Type tags of field values, in RabbitMQ's dialect (https://www.rabbitmq.com/amqp-0-9-1-errata, "field types"):
 * where the specification and the clients in use disagree, RabbitMQ's reading is the one on the wire. `s` is a
 * 16-bit integer and never a string, `l` is signed, `U` does not exist, and `x` is a byte array.
 */
export const Tag = {
  Bool: 0x74, // t
  Byte: 0x62, // b
  UnsignedByte: 0x42, // B
  Short: 0x73, // s
  UnsignedShort: 0x75, // u
  SignedInt: 0x49, // I
  UnsignedInt: 0x69, // i
  Long: 0x6c, // l
  LongUpper: 0x4c, // L: read as a long, never written
  Float: 0x66, // f
  Double: 0x64, // d
  Decimal: 0x44, // D
  Longstr: 0x53, // S
  Array: 0x41, // A
  Timestamp: 0x54, // T
  Table: 0x46, // F
  Void: 0x56, // V
  Binary: 0x78, // x
} as const;

/** In VALUE_SIZE: the value starts with its own length in four octets. */
export const SIZE_IS_PREFIXED = -1;
/** In VALUE_SIZE: no such tag. */
export const TAG_IS_UNKNOWN = -2;

/** By tag octet: the bytes a value takes after its tag, or one of the two constants above. */
export const VALUE_SIZE: Int8Array = new Int8Array(256).fill(TAG_IS_UNKNOWN);

for (const [tag, size] of [
  [Tag.Bool, 1],
  [Tag.Byte, 1],
  [Tag.UnsignedByte, 1],
  [Tag.Short, 2],
  [Tag.UnsignedShort, 2],
  [Tag.SignedInt, 4],
  [Tag.UnsignedInt, 4],
  [Tag.Long, 8],
  [Tag.LongUpper, 8],
  [Tag.Float, 4],
  [Tag.Double, 8],
  [Tag.Decimal, 5],
  [Tag.Timestamp, 8],
  [Tag.Void, 0],
  [Tag.Longstr, SIZE_IS_PREFIXED],
  [Tag.Binary, SIZE_IS_PREFIXED],
  [Tag.Array, SIZE_IS_PREFIXED],
  [Tag.Table, SIZE_IS_PREFIXED],
] as const) {
  VALUE_SIZE[tag] = size;
}
