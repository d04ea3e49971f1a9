/**
 * Every maximum of the program, each with its reason. Limits that an operator may change have their default
 * here; the option's name is in the comment.
 */

/** Largest body a content header may announce (RabbitMQ: hard limit of 512 MiB, whatever is configured). */
export const BODY_BYTES_MAX = 536_870_912;

/** Default of `--frame-max`: what RabbitMQ offers in connection.tune. */
export const FRAME_BYTES_MAX_DEFAULT = 131_072;
/** Smallest frame-max the protocol allows (AMQP 0-9-1 `frame-min-size`); older clients negotiate exactly this. */
export const FRAME_BYTES_MIN = 4096;

/** Where no limit was agreed (frame-max 0 on both sides) a frame still cannot make us gather more than this. */
export const FRAME_BYTES_UNLIMITED_MAX = 16_777_216;

/** Default of `--channel-max`: what RabbitMQ offers in connection.tune. */
export const CHANNEL_MAX_DEFAULT = 2047;
/** Default of `--heartbeat`, in seconds, as RabbitMQ offers it. */
export const HEARTBEAT_SECONDS_DEFAULT = 60;

/** From TCP accept to connection.open-ok; afterwards the socket is dropped without a word (RabbitMQ). */
export const HANDSHAKE_TIMEOUT_MS_DEFAULT = 10_000;
/** Default of `--consumer-timeout`: RabbitMQ gives a consumer half an hour for an acknowledgement. */
export const CONSUMER_TIMEOUT_MS_DEFAULT = 1_800_000;
/** How often a channel looks for deliveries that wait too long (RabbitMQ: `channel_tick_interval`). */
export const CONSUMER_TIMEOUT_LOOK_MS = 60_000;
/** RabbitMQ waits this long before it drops a peer that failed to authenticate: it slows guessing. */
export const SILENT_CLOSE_DELAY_MS = 3_000;
/** How long to wait for connection.close-ok, or for the peer to close TCP: at most 30 s (RabbitMQ). */
export const CLOSE_TIMEOUT_MS_MAX = 30_000;

/** Tags of timed-out deliveries whose late acks a channel still forgives; the oldest are forgotten first. */
export const TAGS_TAKEN_BACK_MAX = 65_536;

/** Bytes copied for one socket and waiting before its consumers are no longer served: a slow reader costs at most this. */
export const OUTPUT_BYTES_MAX = 1_048_576;
/** Consumers are served again when fewer bytes than this are waiting. */
export const OUTPUT_BYTES_RESUME = 262_144;
/**
 * The same of large bodies, which wait where they lie. More than a publisher sends in a turn (libuv reads a socket 32
 * times, 64 KiB each), or a queue of them grows though its consumer is fast.
 */
export const OUTPUT_REFERRED_BYTES_MAX = 8_388_608;
export const OUTPUT_REFERRED_BYTES_RESUME = 2_097_152;
/** Size of an output slab: about one socket buffer, large enough that a turn ends with one write. */
export const OUTPUT_SLAB_BYTES = 65_536;
/** Idle output slabs kept for reuse by the whole broker (16 x 64 KiB). */
export const OUTPUT_SLABS_IDLE_MAX = 16;

/** Messages one queue may deliver before the next runnable queue has its chance. */
export const QUEUE_RUN_MESSAGES_MAX = 2048;

/** A purge of fewer messages acknowledges each: a mark is a record. */
export const PURGE_MARK_MESSAGES_MIN = 1000;

/** Size of a transient segment: large against a message, small enough to return to the system early. */
export const SEGMENT_BYTES = 1_048_576;
/** Dead segment buffers kept for reuse: their pages are warm, fresh ones cost a page fault each 4 KiB. */
export const SEGMENTS_IDLE_MAX = 8;

/** Routes remembered per virtual host; all are dropped when a binding changes or this many are held. */
export const ROUTES_CACHED_MAX = 16_384;

/** Names, routing keys and tags are short strings: their length is one octet (AMQP 0-9-1 section 4.2.5.3). */
export const SHORT_STRING_BYTES_MAX = 255;

/** Largest weight in the binding key of an x-consistent-hash exchange (RabbitMQ 4). */
export const HASH_WEIGHT_MAX = 10_000;

/** Messages an x-recent-history exchange keeps without x-recent-history-length (RabbitMQ). */
export const RECENT_HISTORY_LENGTH_DEFAULT = 20;

/** x-message-ttl and x-expires: ten years in milliseconds (RabbitMQ). */
export const TTL_MS_MAX = 315_360_000_000;

/** Bodies from this size on are sent from where they lie in the log (one more vector) instead of being copied. */
export const BODY_REFERENCE_BYTES_MIN = 8192;

/** An assembled record from this size on becomes a segment of its own; below, it is copied into the open one. */
export const RECORD_ADOPTED_BYTES_MIN = 131_072;

/** Buffers of that size for records below it that wait to be used again: one for each channel in the middle of one. */
export const ASSEMBLIES_IDLE_MAX = 16;

/** How long a shutdown waits for clients to answer connection.close before it drops them. */
export const SHUTDOWN_TIMEOUT_MS = 3_000;

/** Deliveries after which a message of a quorum queue is given up, without x-delivery-limit (RabbitMQ 4.x). */
export const DELIVERY_LIMIT_DEFAULT = 20;

/** Dead messages of a queue that are under way at a time, with the strategy at-least-once (RabbitMQ). */
export const DEAD_LETTERS_UNDER_WAY_MAX = 32;

/** When a dead message that found no queue, or a full one, is tried again, with that strategy (RabbitMQ). */
export const DEAD_LETTER_RETRY_MS = 180_000;

/** Unacked deliveries of a quorum queue's consumer without a prefetch (RabbitMQ). */
export const QUORUM_UNACKED_MAX = 2000;

/** x-max-priority (rabbitmq.com/docs/priority): one octet on the wire. */
export const PRIORITY_MAX = 255;

/** Size of a durable segment and its file: few files, and each goes as soon as its messages are gone. */
export const SEGMENT_FILE_BYTES = 8_388_608;

/** Buffers of dead durable segments kept for reuse: one to write to, one to read into. */
export const DURABLE_SEGMENTS_IDLE_MAX = 2;

/** Durable segments kept in memory: consumers that lag less than this never wait for the disk. */
export const RESIDENT_BYTES_MAX = 33_554_432;

/** Transient messages go to the disk above this share of the memory limit (RabbitMQ: vm_memory_high_watermark_paging_ratio). */
export const SPILL_MEMORY_SHARE = 0.5;

/** What is read back of a segment at a time, rounded up to whole batches: long reads, but not for a few messages. */
export const READ_BLOCK_BYTES = 1_048_576;

/** Default of `--disk-free-limit`: RabbitMQ's 50 MB. */
export const DISK_FREE_BYTES_MIN_DEFAULT = 50_000_000;

/** How often the room on the volume is asked for, and a write that found none is tried again. */
export const DISK_SPACE_INTERVAL_MS = 500;
